import type { Redis } from 'ioredis';
import { failure } from './emitter-error.js';

/** The gateway keeps the order of a key across a change while writers ask at least every 10 s. */
const STALE_MS = 5000;

/** How many partitions there are, as the gateway publishes it. */
export class Partitions {
  private askedAt = -Infinity;
  private known: number | undefined;

  /**
   * @param key where the number is published
   * @param told what the service was configured with; it must then be what the gateway says
   */
  constructor(
    private readonly key: string,
    private readonly told: number | undefined,
  ) {}

  /**
   * The gateway's number; before a gateway has ever run, what was told, else 1.
   * @throws EmitterError `partitions_conflict`
   */
  async count(redis: Redis): Promise<number> {
    if (performance.now() - this.askedAt > STALE_MS) this.learn(await redis.get(this.key));
    const count = this.known ?? this.told ?? 1;
    if (this.told !== undefined && this.told !== count) throw failure('partitions_conflict');
    return count;
  }

  /** Takes in what Redis says; every batch asks, so that a change is known with the next one. */
  learn(published: unknown): void {
    this.askedAt = performance.now();
    const count = Number(published);
    if (Number.isInteger(count) && count > 0) this.known = count;
  }
}
