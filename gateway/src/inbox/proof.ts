/**
 * What was sent on a connection and is not known to have arrived. The heartbeat after the next one
 * proves it: the first may answer what was sent before.
 */
export class Proof<T> {
  private fresh: T[] = [];
  private old: T[] = [];

  get isEmpty(): boolean {
    return this.fresh.length === 0 && this.old.length === 0;
  }

  /** Was written just now. */
  sent(item: T): void {
    this.fresh.push(item);
  }

  /** A heartbeat was completed. @returns what is proven by it */
  beat(): readonly T[] {
    const proven = this.old;
    this.old = this.fresh;
    this.fresh = [];
    return proven;
  }
}
