import { Redis } from 'ioredis';
import { streamNames } from '@streamgate/protocol/stream';

/**
 * A process of its own that is all services: it writes numbered commands to the stream, to people in turn, at
 * a rate that does not depend on what comes back. Asked over IPC.
 */

export interface Step {
  readonly rate: number;
  readonly seconds: number;
}

export interface WriterPlan {
  /** Person `i` is the user `<run>-<i>`. */
  readonly run: string;
  readonly sessions: number;
  readonly steps: readonly Step[];
  /** ms since the epoch. */
  readonly at: number;
  /** Of the payload, about. */
  readonly bytes: number;
}

export interface Written {
  readonly sent: number;
  /** From the time at which an event should have been written to its having been, ms. */
  readonly lag: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Times that Redis did not take a batch, which then was written again. */
  readonly repeated: number;
}

/** What an event carries to people. */
export interface Numbered {
  /** Of this person, from 0. */
  readonly n: number;
  /** When it should have been written, ms since the epoch. */
  readonly at: number;
  /** Of the rates, from 0. */
  readonly step: number;
  readonly pad: string;
}

const TICK_MS = 1;
/** In one round trip. */
const BATCH = 500;

/** @returns what was written, when all has been. `signal` ends it early */
async function write(redis: Redis, plan: WriterPlan, signal: AbortSignal): Promise<Written> {
  const stream = streamNames('streamgate').partition(0);
  const lags: number[] = [];
  const pad = 'x'.repeat(plan.bytes);
  let repeated = 0;
  let sent = 0;
  let began = plan.at;
  for (const [step, { rate, seconds }] of plan.steps.entries()) {
    const first = sent;
    const last = first + Math.round(rate * seconds);
    const dueAt = (nth: number) => began + ((nth - first) * 1000) / rate;
    while (sent < last && !signal.aborted) {
      const due = Math.min(last, first + Math.floor(((Date.now() - began) / 1000) * rate) + 1);
      if (Date.now() < began || due <= sent) {
        await pause(TICK_MS);
        continue;
      }
      const until = Math.min(due, sent + BATCH);
      const pipeline = redis.pipeline();
      for (let nth = sent; nth < until; nth++) {
        const person = `${plan.run}-${nth % plan.sessions}`;
        const n = Math.floor(nth / plan.sessions);
        const data: Numbered = { n, at: dueAt(nth), step, pad };
        pipeline.xadd(
          ...([stream, '*', 'to', `user:${person}`, 'event', 'numbered'] as const),
          ...(['data', JSON.stringify(data), 'source', plan.run, 'id', String(nth)] as const),
        );
      }
      const done = await succeeded(pipeline);
      const now = performance.timeOrigin + performance.now();
      for (let nth = sent; nth < sent + done; nth++) lags.push(now - dueAt(nth));
      if (sent + done < until) {
        repeated++;
        await pause(10);
      }
      sent += done;
    }
    began += seconds * 1000;
  }
  redis.disconnect();
  lags.sort((a, b) => a - b);
  const at = (share: number) =>
    lags[Math.min(lags.length - 1, Math.floor(share * lags.length))] ?? 0;
  return { sent, lag: { p50: at(0.5), p99: at(0.99), max: at(1) }, repeated };
}

/** What has no answer is written again under its `id`, before anything newer. @returns how many are in for certain */
async function succeeded(pipeline: ReturnType<Redis['pipeline']>): Promise<number> {
  try {
    const results = (await pipeline.exec()) ?? [];
    const failed = results.findIndex(([error]) => error !== null);
    return failed === -1 ? results.length : failed;
  } catch {
    return 0; // not connected
  }
}

function connect(url: string): Redis {
  const redis = new Redis(url, {
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => 50,
    commandTimeout: 2000,
  });
  // The next batch tells.
  redis.on('error', () => undefined);
  return redis;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const [, , redisUrl = ''] = process.argv;
const redis = connect(redisUrl);
const ending = new AbortController();
process.on('message', (plan: WriterPlan | 'end') => {
  if (plan === 'end') ending.abort();
  else
    void write(redis, plan, ending.signal).then((written) => {
      process.send!(written);
      process.disconnect();
    });
});
redis.once('ready', () => process.send!('ready'));
