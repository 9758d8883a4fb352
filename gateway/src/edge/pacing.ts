export interface Pace {
  /** What is still to be done. */
  readonly left: number;
  /** Milliseconds in which it is to be done. */
  readonly msLeft: number;
  /** Milliseconds since the last step. */
  readonly elapsedMs: number;
  /** Fraction of one that the last step left over. */
  readonly credit: number;
}

/** How many are due in this step so that all are done evenly, and what fraction remains. */
export function dueNow({ left, msLeft, elapsedMs, credit }: Pace): { due: number; credit: number } {
  // `msLeft` counts from now, the step's share from the last step.
  const span = Math.max(0, msLeft) + elapsedMs;
  if (msLeft <= 0 || span === 0) return { due: left, credit: 0 };
  const share = credit + (left - credit) * (elapsedMs / span);
  const due = Math.min(left, Math.floor(share + 1e-9));
  return { due, credit: share - due };
}

/** A list to be worked off evenly until a moment of `performance.now()`. */
export class PacedList<T> {
  private next = 0;
  private credit = 0;
  private steppedAt: number;
  private readonly items: readonly T[];
  private readonly endsAt: number;

  constructor(items: readonly T[], seconds: number, now: number) {
    this.items = items;
    this.steppedAt = now;
    this.endsAt = now + seconds * 1000;
  }

  get left(): number {
    return this.items.length - this.next;
  }

  msLeft(now: number): number {
    return Math.max(0, this.endsAt - now);
  }

  /** Items a second from now on. */
  rate(now: number): number {
    return this.left / Math.max(1, this.msLeft(now) / 1000);
  }

  /** The items that are due now. */
  step(now: number): readonly T[] {
    const { left, credit } = this;
    const elapsedMs = now - this.steppedAt;
    const { due, credit: kept } = dueNow({ left, msLeft: this.endsAt - now, elapsedMs, credit });
    this.credit = kept;
    this.steppedAt = now;
    this.next += due;
    return this.items.slice(this.next - due, this.next);
  }
}
