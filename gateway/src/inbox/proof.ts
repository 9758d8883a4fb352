/**
 * What was sent on a connection and is not known to have arrived. The heartbeat after the next one
 * proves it: the first may answer what was sent before.
 */
export class Proof<T> {
  private fresh: T[] = [];
  private old: T[] = [];

  /**
   * @param most what is sent between two heartbeats and kept
   * @param isPassing whether it may be forgotten, the oldest first, where there is more
   */
  constructor(
    private readonly most = Infinity,
    private readonly isPassing: (item: T) => boolean = () => true,
  ) {}

  get isEmpty(): boolean {
    return this.fresh.length === 0 && this.old.length === 0;
  }

  /** Was written just now. */
  sent(item: T): void {
    if (this.fresh.push(item) < 2 * this.most) return;
    const kept = this.fresh.length - this.most;
    this.fresh = this.fresh.filter((each, index) => index >= kept || !this.isPassing(each));
  }

  /** A heartbeat was completed. @returns what is proven by it */
  beat(): readonly T[] {
    const proven = this.old;
    this.old = this.fresh;
    this.fresh = [];
    return proven;
  }
}
