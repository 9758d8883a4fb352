/** The pauses before attempts to reconnect: those of socket.io-client 4 (its contrib/backo2). */
export class Backoff {
  /** Attempts since the last connection. */
  attempts = 0;
  private readonly min: number;
  private readonly max: number;
  private readonly jitter: number;

  /** `min` and `max` in ms; `jitter` is the part of a pause by which it may be longer or shorter. */
  constructor(min: number, max: number, jitter: number) {
    this.min = min;
    this.max = max;
    this.jitter = jitter > 0 && jitter <= 1 ? jitter : 0;
  }

  /** The next pause in ms: twice the one before, up to `max`. */
  next(): number {
    const pause = this.min * 2 ** this.attempts++;
    const random = Math.random();
    const deviation = Math.floor(random * this.jitter * pause);
    const shorter = (Math.floor(random * 10) & 1) === 0;
    return Math.trunc(Math.min(shorter ? pause - deviation : pause + deviation, this.max));
  }

  reset(): void {
    this.attempts = 0;
  }
}
