import { setTimeout as sleep } from 'node:timers/promises';
import { partitionOf, type streamNames } from '@streamgate/protocol/stream';
import type { Redis } from 'ioredis';
import { atMost } from './at-most.js';
import { backoff, isRefusal, untilReady } from './connection.js';
import { EmitterError, type FailureCode, failure } from './emitter-error.js';
import type { Partitions } from './partitions.js';

/** An entry on its way to Redis. */
export interface Entry {
  /** The command's id: under it a repetition is recognised. */
  readonly id: string;
  /** Decides the partition, and within it the order. */
  readonly key: string;
  /** Fields and values in turn. */
  readonly fields: readonly string[];
  /** Of names and values as UTF-8. */
  readonly bytes: number;
  /** When it is no longer worth writing, in milliseconds of `performance.now()`. */
  readonly expiresAt: number;
}

export interface OutboxLimits {
  /** Commands that may wait. */
  readonly maxQueued: number;
  /** Bytes that may wait. */
  readonly maxQueuedBytes: number;
  /** For how long a write whose answer was lost is repeated; less than the gateway remembers ids. */
  readonly repeatWithinMs: number;
}

interface Waiting extends Entry {
  /** When it was first sent, while it is not known whether it arrived. */
  triedAt: number | undefined;
  readonly resolve: (entry: string) => void;
  readonly reject: (error: EmitterError) => void;
}

const BATCH_MAX = 500;
const BATCH_MAX_BYTES = 1024 * 1024;
/** How often what waits for Redis is looked through for what is no longer worth writing. */
const GIVE_UP_EVERY_MS = 1000;

/**
 * Writes entries in the order given. What is pushed in one turn of the event loop travels together,
 * in a transaction: all of it is written or nothing, so that a refusal in the middle cannot let what
 * follows overtake. One batch is on its way at a time, for the same reason.
 */
export class Outbox {
  private queue: Waiting[] = [];
  private bytes = 0;
  private running: Promise<void> | undefined;
  private closing = false;
  private readonly ended = new AbortController();

  /**
   * @param redis refuses at once while it is away, and repeats nothing by itself
   * @param partitions how many there are
   */
  constructor(
    private readonly redis: Redis,
    private readonly names: ReturnType<typeof streamNames>,
    private readonly partitions: Partitions,
    private readonly limits: OutboxLimits,
  ) {}

  /**
   * Resolves with the id that Redis gave the entry, once it is written.
   * @throws EmitterError `queue_full`, `closed`, `expired`, `outcome_unknown`, `redis_refused`,
   *   `partitions_conflict`
   */
  async push(entry: Entry): Promise<string> {
    const { id } = entry;
    if (this.closing) throw failure('closed', { id });
    if (
      this.queue.length >= this.limits.maxQueued ||
      this.bytes + entry.bytes > this.limits.maxQueuedBytes
    )
      throw failure('queue_full', { id });
    return new Promise((resolve, reject) => {
      this.queue.push({ ...entry, triedAt: undefined, resolve, reject });
      this.bytes += entry.bytes;
      this.running ??= this.run();
    });
  }

  /**
   * Takes nothing more and waits until all is written.
   * @param timeoutMs then what still waits is given up: `closed`, or `outcome_unknown` when it is
   *   on its way
   */
  async close(timeoutMs: number): Promise<void> {
    this.closing = true;
    await atMost(timeoutMs, this.running);
    this.giveUp(() => 'closed');
    this.ended.abort();
    this.redis.disconnect();
    await this.running;
  }

  private async run(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    for (let refusals = 0; this.queue.length > 0;) {
      await untilReady(this.redis, this.ended.signal, GIVE_UP_EVERY_MS);
      this.giveUp((entry, now) => (now > entry.expiresAt ? 'expired' : undefined));
      if (this.redis.status !== 'ready') continue;
      refusals = (await this.write(this.batch())) ? 0 : refusals + 1;
      if (refusals > 0 && this.queue.length > 0) await sleep(backoff(refusals));
    }
    this.running = undefined;
  }

  /** The longest piece of the queue's head that travels together. */
  private batch(): Waiting[] {
    let bytes = 0;
    const end = this.queue.findIndex((entry, index) => {
      bytes += entry.bytes;
      return index >= BATCH_MAX || (index > 0 && bytes > BATCH_MAX_BYTES);
    });
    return end === -1 ? [...this.queue] : this.queue.slice(0, end);
  }

  /** Returns whether Redis answered for good: written, or refused. */
  private async write(batch: readonly Waiting[]): Promise<boolean> {
    if (batch.length === 0) return true;
    let sentAt = -1;
    try {
      const count = await this.partitions.count(this.redis);
      const transaction = this.redis.multi().get(this.names.partitions);
      for (const { key, fields } of batch)
        transaction.xadd(this.names.partition(partitionOf(key, count)), '*', ...fields);
      sentAt = performance.now();
      for (const entry of batch) entry.triedAt ??= sentAt;
      const [published, ...written] = (await transaction.exec()) ?? [];
      this.partitions.learn(published?.[1]);
      this.settle(batch, written);
      return true;
    } catch (thrown) {
      return this.judge(batch, thrown as Error, sentAt);
    }
  }

  private settle(batch: readonly Waiting[], replies: readonly [Error | null, unknown][]): void {
    for (const [index, entry] of batch.entries()) {
      const [error, id] = replies[index] ?? [];
      if (error) entry.reject(failure('redis_refused', { id: entry.id, cause: error }));
      else entry.resolve(String(id));
    }
    this.drop(batch.length);
  }

  /** A connection that went says nothing about what was sent; a refusal says that none was written. */
  private judge(batch: readonly Waiting[], error: Error, sentAt: number): boolean {
    const isOurs = error instanceof EmitterError;
    if (!isOurs && error.name !== 'ReplyError') return false;
    const [cause = error] = (error as { previousErrors?: Error[] }).previousErrors ?? [];
    for (const entry of batch) if (entry.triedAt === sentAt) entry.triedAt = undefined;
    if (!isOurs && !isRefusal(cause)) return false;
    const code = isOurs ? 'partitions_conflict' : 'redis_refused';
    for (const { id, reject } of batch) reject(failure(code, { id, cause }));
    this.drop(batch.length);
    return true;
  }

  /** Rejects those that the test gives a code, and those whose repetition could be taken for new. */
  private giveUp(test: (entry: Waiting, now: number) => FailureCode | undefined): void {
    const now = performance.now();
    this.queue = this.queue.filter((entry) => {
      const { id, bytes, triedAt, reject } = entry;
      const tooLate = triedAt !== undefined && now - triedAt > this.limits.repeatWithinMs;
      const reason = test(entry, now);
      const code = tooLate || (reason && triedAt !== undefined) ? 'outcome_unknown' : reason;
      if (code === undefined) return true;
      this.bytes -= bytes;
      reject(failure(code, { id }));
      return false;
    });
  }

  private drop(count: number): void {
    for (const { bytes } of this.queue.splice(0, count)) this.bytes -= bytes;
  }
}
