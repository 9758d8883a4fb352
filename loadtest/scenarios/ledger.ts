/** What somebody was sent, by numbers from 0, and what of it came. */
export class Ledger {
  received = 0;
  doubled = 0;
  outOfOrder = 0;
  /** The number that comes next when all goes well. */
  private next = 0;
  private readonly missing = new Set<number>();

  /** @returns whether it had not come before */
  take(n: number): boolean {
    if (n >= this.next) {
      for (let each = this.next; each < n; each++) this.missing.add(each);
      this.next = n + 1;
    } else if (this.missing.delete(n)) this.outOfOrder++;
    else {
      this.doubled++;
      return false;
    }
    this.received++;
    return true;
  }

  /** @param sent how many there were */
  lost(sent: number): number {
    return this.missing.size + Math.max(0, sent - this.next);
  }
}
