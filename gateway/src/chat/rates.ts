import { GatewayError } from '@streamgate/protocol/errors';
import { afterTaking, overdraft } from '../rate.js';

/** Users whose meters are kept before those that have run out are thrown away. */
const TIDY_AT = 10_000;

/** How often users may do something on this node, all their sessions together. */
export class Rate {
  private readonly msEach: number;
  private readonly burstMs: number;
  /** As `afterTaking` has it, by user. */
  private readonly paidUntil = new Map<string, number>();
  private tidyAt = TIDY_AT;

  constructor(perSecond: number, burst: number) {
    this.msEach = 1000 / perSecond;
    this.burstMs = burst * this.msEach;
  }

  /** @throws GatewayError `rate_limited` with the milliseconds to wait: then nothing was taken */
  take(userId: string): void {
    const now = performance.now();
    const after = afterTaking(this.paidUntil.get(userId) ?? 0, this.msEach, now);
    const retryAfterMs = overdraft(after, this.burstMs, now);
    if (retryAfterMs > 0) throw new GatewayError('rate_limited', undefined, { retryAfterMs });
    this.paidUntil.set(userId, after);
    if (this.paidUntil.size > this.tidyAt) this.tidy(now);
  }

  private tidy(now: number): void {
    for (const [userId, until] of this.paidUntil) if (until <= now) this.paidUntil.delete(userId);
    this.tidyAt = Math.max(TIDY_AT, 2 * this.paidUntil.size);
  }
}
