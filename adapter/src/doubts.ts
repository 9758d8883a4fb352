import { OTHERS } from './message.js';
import { type Run, formatServed, withEvent } from './served.js';

/**
 * Messages of this node that Redis may have taken although whoever sent them was told that it has not.
 * What is served here in place of one is not delivered again when it is read back; what is read back
 * before anybody served it is delivered as ever.
 */
export class Doubts {
  /** Neither served nor read back. */
  private readonly open = new Set<number>();
  private readonly served = new Set<number>();
  private readonly read = new Set<number>();
  private runs: Run[] = [];
  /** By Redis' clock: none of them is executed after that. */
  private until = 0;
  private closesAt: number | undefined;
  /** What positions given out now say of what was served. */
  suffix = '';

  /** @param step between the numbers of two events that follow each other */
  constructor(private readonly step: number) {}

  /** Whether sessions have been served what may still be read back. */
  get hasServed(): boolean {
    return this.served.size > 0;
  }

  /** @param until by Redis' clock: after that it is not executed */
  add(number: number, until: number): void {
    this.open.add(number);
    this.until = Math.max(this.until, until);
    this.closesAt = undefined;
  }

  /** It is about to be served here. @returns false when it was read back already */
  serve(number: number): boolean {
    if (this.read.delete(number)) return false;
    if (this.open.delete(number)) this.isServed(number);
    return true;
  }

  /** A message of this node was read back. @returns whether it is to be delivered */
  readBack(number: number): boolean {
    if (this.closesAt !== undefined && number >= this.closesAt) this.close();
    if (this.open.delete(number)) this.read.add(number);
    return !this.served.has(number);
  }

  /** Whether a marker sent now will tell that nothing is in doubt any more. */
  canEnd(now: number): boolean {
    return this.open.size + this.served.size > 0 && now > this.until;
  }

  /** When this marker is read back all is known. */
  endAt(marker: number): void {
    this.closesAt ??= marker;
  }

  close(): void {
    this.open.clear();
    this.served.clear();
    this.read.clear();
    this.runs = [];
    this.suffix = '';
    this.closesAt = undefined;
  }

  private isServed(number: number): void {
    this.served.add(number);
    if (number > OTHERS) return;
    this.runs = withEvent(this.runs, number, this.step);
    this.suffix = formatServed({ runs: this.runs, until: this.until });
  }
}
