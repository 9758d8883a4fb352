import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { partitionOf } from '@streamgate/protocol/stream';
import { pause } from './member.ts';

const TICK_MS = 10;

/**
 * One service that writes numbered commands to users in turn, at a steady rate, by hand as the stream
 * contract says. What it has no answer for it writes again with the same `id`, before anything newer.
 */
export class Writer {
  /** The last number of each member. */
  readonly last = new Map<number, number>();
  written = 0;
  private readonly redis: Redis;
  /** Of its own: the `id`s of another writer are not these. */
  private readonly source = randomUUID();
  private readonly stream: string;
  private closed = false;

  /** @param stream of partition 0 */
  constructor(url: string, stream: string) {
    this.stream = stream;
    this.redis = new Redis(url, {
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => 50,
      commandTimeout: 2000,
    });
    this.redis.on('error', () => undefined);
    // ioredis gives up when it is refused while it says hello.
    this.redis.on('end', () => {
      if (!this.closed) setTimeout(() => void this.redis.connect().catch(() => undefined), 50);
    });
  }

  /**
   * @param entries how many in all
   * @param members whom they go to, in turn: each is a key of its own
   * @param partitions how many there are when an entry is written
   * @param enough whether to end before that
   */
  async write(
    entries: number,
    members: number,
    perSecond: number,
    partitions: () => number,
    enough: () => boolean = () => false,
  ): Promise<void> {
    const began = performance.now();
    while (this.written < entries && !enough()) {
      const due = Math.min(entries, Math.floor(((performance.now() - began) / 1000) * perSecond));
      if (due > this.written) await this.writeUpTo(due, members, partitions());
      await pause(TICK_MS);
    }
  }

  close(): void {
    this.closed = true;
    this.redis.disconnect();
  }

  private async writeUpTo(due: number, members: number, partitions: number): Promise<void> {
    const at = Date.now();
    // How many of these Redis has for certain.
    let sure = this.written;
    while (sure < due) {
      const results = await this.tryToWrite(sure, due, members, partitions, at);
      const failed = results.findIndex(([error]) => error !== null);
      sure += failed === -1 ? results.length : failed;
      if (sure < due) await pause(TICK_MS);
    }
    for (let nth = this.written; nth < due; nth++)
      this.last.set(nth % members, Math.floor(nth / members));
    this.written = due;
  }

  private async tryToWrite(
    from: number,
    to: number,
    members: number,
    partitions: number,
    at: number,
  ): Promise<[Error | null, unknown][]> {
    const pipeline = this.redis.pipeline();
    for (let nth = from; nth < to; nth++) {
      const key = `user:m${nth % members}`;
      const partition = partitionOf(key, partitions);
      const stream = partition === 0 ? this.stream : `${this.stream}:${partition}`;
      const data = JSON.stringify({ number: Math.floor(nth / members), at });
      const id = `n${nth}`;
      pipeline.xadd(
        ...([stream, '*', 'to', key, 'event', 'numbered', 'data', data] as const),
        ...(['source', this.source, 'id', id] as const),
      );
    }
    try {
      return (await pipeline.exec()) ?? [];
    } catch (error) {
      // Not connected: all of it is written again.
      return [[error as Error, undefined]];
    }
  }
}
