/** How exact it is, in ms: never early, late by at most two of them. */
const GRAIN_MS = 250;

/**
 * Calls when a moment has come, for any number of sessions with one timer: the ends of tokens and
 * of grace times. Goes by the wall clock, as tokens do, so far futures and changed clocks are fine.
 */
export class ExpiryWheel<T extends object> {
  private readonly buckets = new Map<number, Set<T>>();
  private readonly watched = new Map<T, number>();
  /** Nothing is due before this bucket. */
  private nearest = Infinity;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly onExpired: (session: T) => void) {
    this.timer = setInterval(() => this.turn(), GRAIN_MS).unref();
  }

  /** @param atMs milliseconds since the epoch; replaces what was watched for this session */
  watch(session: T, atMs: number): void {
    this.unwatch(session);
    const bucket = Math.ceil(atMs / GRAIN_MS);
    const sessions = this.buckets.get(bucket);
    if (sessions) sessions.add(session);
    else this.buckets.set(bucket, new Set([session]));
    this.watched.set(session, bucket);
    this.nearest = Math.min(this.nearest, bucket);
  }

  unwatch(session: T): void {
    const bucket = this.watched.get(session);
    if (bucket === undefined) return;
    this.watched.delete(session);
    const sessions = this.buckets.get(bucket);
    sessions?.delete(session);
    if (sessions?.size === 0) this.buckets.delete(bucket);
  }

  close(): void {
    clearInterval(this.timer);
  }

  private turn(): void {
    const now = Math.floor(Date.now() / GRAIN_MS);
    if (now < this.nearest) return;
    const due = [...this.buckets.keys()].filter((bucket) => bucket <= now);
    const sessions = due.flatMap((bucket) => [...(this.buckets.get(bucket) ?? [])]);
    for (const session of sessions) {
      // One before it may have ended it.
      const bucket = this.watched.get(session);
      if (bucket === undefined || bucket > now) continue;
      this.unwatch(session);
      this.onExpired(session);
    }
    this.nearest = Infinity;
    for (const bucket of this.buckets.keys()) this.nearest = Math.min(this.nearest, bucket);
  }
}
