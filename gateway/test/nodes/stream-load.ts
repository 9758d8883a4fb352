import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { partitionOf, streamNames } from '@streamgate/protocol/stream';
import type { Client } from '../client.js';

const names = streamNames('streamgate');
const TICK_MS = 20;

/** A service that writes numbered commands under several keys, at a steady rate, as the contract says. */
export class StreamLoad {
  /** Commands written under each key. */
  readonly written: number[];
  private going = true;
  private readonly run: Promise<void>;

  /** @param to rooms by key */
  constructor(
    private readonly redis: Redis,
    private readonly to: readonly string[],
    private readonly perTick: number,
  ) {
    this.written = to.map(() => 0);
    this.run = this.write();
  }

  get total(): number {
    return this.written.reduce((sum, count) => sum + count, 0);
  }

  /** Resolves when so many more have been written. */
  async more(count: number): Promise<void> {
    const wanted = this.total + count;
    while (this.total < wanted) await delay(TICK_MS);
  }

  async stop(): Promise<void> {
    this.going = false;
    await this.run;
  }

  private async write(): Promise<void> {
    for (let key = 0; this.going;) {
      const batch: { key: number; n: number }[] = [];
      for (let index = 0; index < this.perTick; index++) {
        batch.push({
          key,
          n: this.written[key]! + batch.filter((each) => each.key === key).length,
        });
        key = (key + 1) % this.to.length;
      }
      await this.writeAll(batch);
      for (const { key: each } of batch) this.written[each]!++;
      await delay(TICK_MS);
    }
  }

  /** Again and again until all are there: what was there already is known by its id. */
  private async writeAll(batch: readonly { key: number; n: number }[]): Promise<void> {
    for (;;)
      try {
        const partitions = Number((await this.redis.get(names.partitions)) ?? 1);
        const pipeline = this.redis.pipeline();
        for (const { key, n } of batch) {
          const stream = names.partition(partitionOf(`key-${key}`, partitions));
          pipeline.xadd(
            stream,
            '*',
            ...['to', this.to[key]!, 'event', 'numbered', 'data', JSON.stringify({ key, n })],
            ...['key', `key-${key}`, 'source', 'load', 'id', `${key}-${n}`],
          );
        }
        const answers = (await pipeline.exec()) ?? [];
        if (answers.every(([error]) => !error)) return;
      } catch {
        // Redis is away: nothing was written, or not everything.
      }
  }
}

export interface Judgement {
  lost: number;
  doubled: number;
  reordered: number;
}

/** What a client made of the numbered events of the keys that are for it. */
export function judge(client: Client, keys: readonly number[], written: readonly number[]) {
  const judgement: Judgement = { lost: 0, doubled: 0, reordered: 0 };
  const received = client.all('numbered') as { key: number; n: number }[];
  for (const key of keys) {
    const seen = new Set<number>();
    let last = -1;
    for (const { n } of received.filter((each) => each.key === key)) {
      if (seen.has(n)) judgement.doubled++;
      else if (n < last) judgement.reordered++;
      seen.add(n);
      last = Math.max(last, n);
    }
    judgement.lost += written[key]! - seen.size;
  }
  return judgement;
}

/** Entries in all partitions that there may be. */
export async function waiting(redis: Redis, partitions: number): Promise<number> {
  const lengths = await Promise.all(
    Array.from({ length: partitions }, (_, index) => redis.xlen(names.partition(index))),
  );
  return lengths.reduce((sum, length) => sum + length, 0);
}
