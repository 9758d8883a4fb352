import { setTimeout as sleep } from 'node:timers/promises';
import type { Receipt } from '@streamgate/protocol/stream';
import { ERRORS, type ErrorCode } from '@streamgate/protocol/errors';
import type { Redis } from 'ioredis';
import { atMost } from './at-most.js';
import { backoff, isRefusal, untilReady } from './connection.js';
import { EmitterError, failure, type FailureCode } from './emitter-error.js';

/** What became of a command. A refusal is an `EmitterError` with the gateway's code. */
export interface Delivery {
  /** The command's id. */
  readonly id: string;
  /** Id of its entry in the stream. */
  readonly entry: string;
  /** `duplicate`: this id was executed before; `expired`: its ttl had passed. */
  readonly outcome: 'done' | 'duplicate' | 'expired';
  /** Sessions addressed, cluster-wide, when the gateway knows. */
  readonly sessions: number | undefined;
  /** Inboxes that it was stored in. */
  readonly inboxed: number;
  /** The node that executed it. */
  readonly node: string;
  /** When, in milliseconds since the epoch. */
  readonly time: number;
}

/** A receipt that somebody waits for. */
export interface Expected {
  /** @throws EmitterError the gateway's refusal, `closed`, or `receipt_timeout` after `within` */
  readonly arrived: Promise<Delivery>;
  /** Starts the clock: the command is written. */
  within(timeoutMs: number): void;
  /** Nothing will come: the command was not written. */
  forget(): void;
}

interface Waiter {
  readonly arrived: Promise<Delivery>;
  resolve(delivery: Delivery): void;
  reject(error: EmitterError): void;
  timer?: NodeJS.Timeout;
}

const BLOCK_MS = 5000;
const PAGE = 500;

/**
 * Reads the receipts of one emitter, on a connection that is made when the first is asked for. The
 * stream is this emitter's alone, so that it is read from its beginning and none can be missed.
 */
export class Receipts {
  private readonly waiters = new Map<string, Waiter[]>();
  private redis: Redis | undefined;
  private reading: Promise<void> | undefined;
  private readonly ended = new AbortController();

  /** @param stream whose name the commands carry */
  constructor(
    readonly stream: string,
    private readonly open: () => Redis,
  ) {}

  /** Call it before the command is written: the receipt may come first. */
  expect(id: string): Expected {
    if (this.ended.signal.aborted) throw failure('closed', { id });
    const waiter = newWaiter();
    this.waiters.set(id, [...(this.waiters.get(id) ?? []), waiter]);
    this.reading ??= this.read();
    return {
      arrived: waiter.arrived,
      within: (timeoutMs) => {
        if (!this.waiters.get(id)?.includes(waiter)) return; // it was quicker
        waiter.timer = setTimeout(() => {
          this.forget(id, waiter);
          waiter.reject(failure('receipt_timeout', { id }));
        }, timeoutMs);
      },
      forget: () => this.forget(id, waiter),
    };
  }

  /** Waits for what is expected, and rejects with `closed` what has not come by then. */
  async close(timeoutMs: number): Promise<void> {
    const expected = [...this.waiters.values()].flat().map(({ arrived }) => arrived);
    await atMost(timeoutMs, Promise.allSettled(expected));
    this.ended.abort();
    this.rejectAll('closed');
    // Ends the blocking read; the stream expires by itself when Redis is away.
    this.redis?.disconnect();
    await this.reading;
  }

  private async read(): Promise<void> {
    const redis = (this.redis = this.open());
    let last = '0';
    for (let failures = 0; !this.ended.signal.aborted;) {
      await untilReady(redis, this.ended.signal, BLOCK_MS);
      if (redis.status !== 'ready') continue;
      try {
        const answer = await redis.xread(
          'COUNT',
          PAGE,
          'BLOCK',
          BLOCK_MS,
          'STREAMS',
          this.stream,
          last,
        );
        failures = 0;
        for (const [entry, fields] of answer?.[0]?.[1] ?? []) {
          last = entry;
          this.settle(receiptOf(fields));
        }
      } catch (error) {
        if (this.ended.signal.aborted) return;
        failures += 1;
        // Else the connection went, which it tells by itself.
        if (isRefusal(error as Error)) this.rejectAll('redis_refused', error);
        await sleep(backoff(failures));
      }
    }
  }

  /** The oldest that waits under this id; a repetition's second receipt finds nobody. */
  private settle(receipt: Receipt): void {
    const id = receipt.id ?? '';
    const waiter = this.waiters.get(id)?.[0];
    if (!waiter) return;
    this.forget(id, waiter);
    const { outcome, code, entry = '', sessions, inboxed, node, time } = receipt;
    if (outcome === 'refused') waiter.reject(refusal(code, id));
    else
      waiter.resolve({
        ...{ id, entry, outcome, node },
        sessions: sessions === undefined ? undefined : Number(sessions),
        inboxed: Number(inboxed),
        time: Number(time),
      });
  }

  private rejectAll(code: FailureCode, cause?: unknown): void {
    for (const [id, waiters] of this.waiters)
      for (const waiter of waiters) {
        this.forget(id, waiter);
        waiter.reject(failure(code, { id, cause }));
      }
  }

  private forget(id: string, waiter: Waiter): void {
    clearTimeout(waiter.timer);
    const left = (this.waiters.get(id) ?? []).filter((other) => other !== waiter);
    if (left.length > 0) this.waiters.set(id, left);
    else this.waiters.delete(id);
  }
}

function newWaiter(): Waiter {
  let settle!: Pick<Waiter, 'resolve' | 'reject'>;
  const arrived = new Promise<Delivery>((resolve, reject) => (settle = { resolve, reject }));
  return { arrived, ...settle };
}

function receiptOf(fields: readonly string[]): Receipt {
  const pairs = fields.flatMap((name, index) =>
    index % 2 === 0 ? [[name, fields[index + 1]]] : [],
  );
  return Object.fromEntries(pairs) as Receipt;
}

/** In the words of the catalogue, when this version knows the code. */
function refusal(code: string | undefined, id: string): EmitterError {
  const known = ERRORS[code as ErrorCode] ?? ERRORS.internal;
  return new EmitterError((code ?? 'internal') as ErrorCode, known.message, known.retryable, {
    id,
  });
}
