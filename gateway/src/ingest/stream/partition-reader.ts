import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { GatewayError } from '@streamgate/protocol/errors';
import { LinkFault, reasonOf, within } from '../../backplane/redis-link.js';
import type { RedisConnect } from '../../backplane/redis-options.js';
import type { Consumer } from '../ledger.js';
import type { PartitionScript } from './partition-scripts.js';
import { defineScripts, runScript } from './run-script.js';

/** An entry of the stream: fields and values in turn. */
export interface Entry {
  readonly id: string;
  readonly fields: readonly string[];
  /** Only who wants to know of it is in `fields`. */
  readonly isTooLarge?: boolean;
}

/** What the reader of a partition goes by. */
export interface Place {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  readonly leaseKey: string;
  readonly historyKey: string;
  /** The lease's token without its epoch. */
  readonly base: string;
  /** Bytes of an entry above which its values stay in Redis. */
  readonly largest: number;
}

/** Entries of one read. */
const READ_MAX = 256;
/** Bytes after which a read has enough: with the last entry they are to arrive in the time of one call. */
export const BATCH_BYTES = 256 * 1024;
/** A connection that is not there after so long is given up for a new one, in ms. */
const CONNECT_MS = 2000;
/** How long Redis holds a connection on which nothing comes. */
const BLOCK_MS = 1000;

/** No fields: Redis writes an empty list as `{}`. */
type RawEntry = [id: string, fields: string[] | Record<string, never>, isTooLarge?: 1];

/**
 * Reads a partition on a connection of its own. Every read checks the lease in the same step, so that
 * who has lost it takes nothing away from who has it.
 */
export class PartitionReader {
  private redis: Redis;
  private isClosed = false;
  private epoch = 0;

  constructor(
    private readonly connect: RedisConnect,
    private readonly place: Place,
    private readonly timeoutMs: number,
  ) {
    this.redis = this.connected();
  }

  /** For what is executed of what was read since the last `begin`. */
  get consumer(): Consumer {
    const { stream, group, leaseKey, base } = this.place;
    return { stream, group, leaseKey, token: `${base}/${this.epoch}` };
  }

  /**
   * Begins anew: calls of before that Redis has not come to yet are refused.
   * @returns pages of what was given out and not acknowledged, in order
   * @throws GatewayError `lease_lost`, `backplane_unavailable`
   */
  async *begin(): AsyncGenerator<{ history: string; entries: Entry[]; deleted: number }> {
    await this.ready();
    this.epoch++;
    const { stream, group, consumer, leaseKey, historyKey, base, largest } = this.place;
    let from = '0-0';
    do {
      const args = [base, this.epoch, group, consumer, from, READ_MAX, BATCH_BYTES, largest];
      const answer = await this.run('claim', [leaseKey, stream, historyKey], args);
      const [history, next, entries, deleted] = answer as [string, string, string, string[]];
      yield { history, entries: entriesIn(entries), deleted: deleted.length };
      from = next;
    } while (from !== '0-0');
  }

  /**
   * What nobody was given yet.
   * @param last waits until there is something behind this entry, a second at most; absent: at once
   * @returns `last`: when there is nothing, the last entry that there ever was
   * @throws GatewayError as `begin`; after `backplane_unavailable` begin anew
   */
  async read(last?: string): Promise<{ history: string; entries: Entry[]; last: string }> {
    const { stream, group, consumer, leaseKey, historyKey, largest } = this.place;
    const args = [this.consumer.token, group, consumer, READ_MAX, BATCH_BYTES, largest];
    // Redis comes to what is behind a call that waits when the bell has rung: asked at once, nothing is lost.
    const bell = last === undefined ? undefined : this.ring(last);
    const answer = this.run('read', [leaseKey, stream, historyKey], args, bell ? BLOCK_MS : 0);
    const [said] = await Promise.all([answer, bell]);
    if (said === 'no group') throw unavailable(new LinkFault('failed', 'no group'));
    const [history, entries, end] = said as [string, string, string];
    return { history, entries: entriesIn(entries), last: end };
  }

  /** @throws GatewayError `lease_lost`, `backplane_unavailable` */
  async run(
    script: PartitionScript,
    keys: readonly string[],
    args: readonly (string | number)[],
    extraMs = 0,
  ): Promise<unknown> {
    const answer = await this.limited(extraMs, runScript(this.redis, script, keys, args));
    if (answer === 'lost') throw new GatewayError('lease_lost');
    return answer;
  }

  /** What is called later finds the lease lost. */
  close(): void {
    this.isClosed = true;
    this.redis.disconnect();
  }

  /** Resolves when there is an entry behind this one, or after a while. */
  private async ring(last: string): Promise<void> {
    const { stream } = this.place;
    await this.limited(
      BLOCK_MS,
      this.redis.xread('COUNT', 1, 'BLOCK', BLOCK_MS, 'STREAMS', stream, last),
    );
  }

  private connected(): Redis {
    const redis = this.connect('reader');
    // The calls that fail say so, and the link knows that Redis is away.
    redis.on('error', () => undefined);
    defineScripts(redis);
    return redis;
  }

  /** One whose other end has vanished while it was made would never be there. */
  private async ready(): Promise<void> {
    if (this.isClosed) throw new GatewayError('lease_lost');
    if (this.redis.status === 'ready') return;
    const over = new AbortController();
    try {
      await within(CONNECT_MS, once(this.redis, 'ready', { signal: over.signal }));
    } catch (thrown) {
      if (this.isClosed) throw new GatewayError('lease_lost');
      const isStuck = thrown instanceof LinkFault;
      if (isStuck || this.redis.status === 'end') {
        this.redis.disconnect();
        this.redis = this.connected();
      }
      throw unavailable(isStuck ? thrown : new LinkFault('unavailable', reasonOf(thrown)));
    } finally {
      over.abort();
    }
  }

  /** A call without an answer is given up together with its connection. */
  private async limited<T>(extraMs: number, call: Promise<T>): Promise<T> {
    try {
      return await within(extraMs + this.timeoutMs, call);
    } catch (thrown) {
      if (thrown instanceof LinkFault) {
        // One that is only being made would end for good.
        if (this.redis.status === 'ready') this.redis.disconnect(true);
        throw unavailable(thrown);
      }
      const isRefused = (thrown as Error).name === 'ReplyError';
      const outcome = isRefused ? 'failed' : 'unavailable';
      throw unavailable(new LinkFault(outcome, reasonOf(thrown)));
    }
  }
}

function entriesIn(json: string): Entry[] {
  return (JSON.parse(json) as RawEntry[]).map(([id, fields, isTooLarge]) => ({
    id,
    fields: Array.isArray(fields) ? fields : [],
    isTooLarge: isTooLarge === 1,
  }));
}

function unavailable(cause: LinkFault): GatewayError {
  return new GatewayError('backplane_unavailable', undefined, { cause });
}
