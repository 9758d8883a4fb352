/** When this process could last not run for longer than a lease: stopped, or held up by a long task. */
export class Stoppage {
  private ran = performance.now();
  private from = -Infinity;
  private to = -Infinity;

  constructor(private readonly leaseMs: number) {}

  /** To be called again and again. @returns false when it could not be for longer than a lease */
  runs(): boolean {
    const now = performance.now();
    const { ran } = this;
    this.ran = now;
    if (now - ran <= this.leaseMs) return true;
    [this.from, this.to] = [ran, now];
    return false;
  }

  /**
   * Since when a session may have been gone that is found to be now, by `performance.now()`: a stopped
   * process notices that only when it is too late to tell when it happened.
   * @param noticeMs within so long a running process notices
   */
  goneSince(noticeMs: number): number {
    const now = performance.now();
    return now - this.to < noticeMs ? this.from : now;
  }
}
