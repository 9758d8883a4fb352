/** Longest time for an answer that tells what time it is, in ms. */
const PROMPT_MS = 100;

/**
 * What time it is on Redis' clock, as far as its answers tell: not later than it is. Local time is
 * monotonic.
 */
export class RedisClock {
  private ahead: number | undefined;

  /**
   * @param time that Redis said, in ms since the epoch
   * @param asked when it was asked, by `performance.now()`; a slow answer says little
   */
  heard(time: number, asked: number): void {
    const now = performance.now();
    if (this.ahead === undefined || now - asked < PROMPT_MS) this.ahead = time - now;
  }

  /** It is another Redis now. */
  forget(): void {
    this.ahead = undefined;
  }

  /** The time there when `ms` have passed here; 0: not known. */
  in(ms: number): number {
    return this.ahead === undefined ? 0 : Math.floor(performance.now() + this.ahead + ms);
  }
}
