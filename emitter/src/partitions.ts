import type { Redis } from 'ioredis';
import { failure } from './emitter-error.js';

/** How many partitions there are, as the gateway publishes it. */
export class Partitions {
  private asked = false;
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
    if (!this.asked) this.learn(await redis.get(this.key));
    const count = this.known ?? this.told ?? 1;
    if (this.told !== undefined && this.told !== count) throw failure('partitions_conflict');
    return count;
  }

  /** Takes in what Redis says; every batch asks, so that a change is known with the next one. */
  learn(published: unknown): void {
    this.asked = true;
    const count = Number(published);
    if (Number.isInteger(count) && count > 0) this.known = count;
  }
}
