import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { GatewayError } from '@streamgate/protocol/errors';
import type { Backplane } from '../backplane/backplane.js';
import type { RedisLink } from '../backplane/redis-link.js';
import type { Config } from '../config.js';
import { ingestKeys } from './ingest-keys.js';
import { argumentsOf, inParts, saidIn } from './ledger-calls.js';
import { BEGIN, END } from './ledger-scripts.js';
import { type Consumer, type Deed, type Ledger, type Verdict, performAll } from './ledger.js';

type Step = 'begin' | 'end';

/** For how many timeouts of Redis an id is reserved: publishing takes one at most, and so does recording. */
const RESERVED_TIMEOUTS = 4;
/** And for no more ms: so long it holds up the next try when a node dies. */
const RESERVED_MAX = 5000;
/** How often it is looked whether another try has come to its end, in ms. */
const LOOK_MS = 20;

/**
 * Where acting is another call than recording: what dies between the two has commands executed again
 * that were executed, never the other way round. Between the two the id is reserved, and another try waits.
 */
export class TwoStepLedger implements Ledger {
  private readonly keys: ReturnType<typeof ingestKeys>;

  /** @param lua defines `inbox_append`, `hold_room` and `revoke_tokens` */
  constructor(
    private readonly backplane: Backplane,
    private readonly link: RedisLink,
    private readonly config: Pick<Config, 'redisPrefix' | 'idempotencySeconds' | 'redisTimeoutMs'>,
    lua: string,
  ) {
    this.keys = ingestKeys(config.redisPrefix);
    for (const [step, body] of Object.entries({ begin: BEGIN, end: END }))
      link.redis.defineCommand(`ledger:${step}`, {
        numberOfKeys: 0,
        lua: `local args = ARGV\n${lua}${body}`,
      });
  }

  settle(deeds: readonly Deed[], consumer?: Consumer): Promise<Verdict[]> {
    // Under a lease there is one try at a time: what an earlier one has left behind is not waited for.
    const tryId = consumer?.stream ?? randomUUID();
    return inParts(deeds, consumer, (part) => this.settleAtOnce(part, consumer, tryId));
  }

  /** Those before the first whose id another try has reserved; none, after a while, where it is the first. */
  private async settleAtOnce(
    deeds: readonly Deed[],
    consumer: Consumer | undefined,
    tryId: string,
  ): Promise<Verdict[]> {
    const said = saidIn(await this.run('begin', deeds, consumer, tryId));
    if (said.length === 0) await delay(LOOK_MS);
    const wanted = deeds.filter((_, index) => said[index]?.verdict === 'done');
    const performed = await performAll(this.backplane, wanted);
    const verdicts: Verdict[] = [];
    const settled: Deed[] = [];
    /** Of this call, by key. */
    const failures = new Map<string, Verdict>();
    let next = 0;
    for (const [index, { verdict, inboxed }] of said.entries()) {
      const { entry, once } = deeds[index]!;
      const acknowledged = { ...(entry !== undefined && { entry }), acts: [] };
      const failure = once && failures.get(once.key);
      // Of the same key as one that is to be tried again: what it is shows then.
      if (failure) verdicts.push(failure);
      else if (verdict === 'conflict') verdicts.push(new GatewayError('idempotency_conflict'));
      else if (verdict === 'duplicate') {
        verdicts.push({ outcome: 'duplicate' });
        settled.push(acknowledged);
      } else {
        const done = performed[next++]!;
        const isDone = 'outcome' in done && done.outcome === 'done';
        verdicts.push(isDone ? { ...done, inboxed } : done);
        if (isDone) settled.push({ ...acknowledged, ...(once && { once }) });
        else if (once) {
          failures.set(once.key, done);
          settled.push({ once: { ...once, digest: '' }, acts: [] });
        }
      }
    }
    if (settled.some(({ entry, once }) => entry ?? once))
      await this.run('end', settled, consumer, tryId);
    return verdicts;
  }

  /** @throws GatewayError `backplane_unavailable` */
  private run(step: Step, deeds: readonly Deed[], consumer: Consumer | undefined, tryId: string) {
    const { idempotencySeconds, redisTimeoutMs } = this.config;
    const args = argumentsOf(deeds, consumer, idempotencySeconds, this.keys.done);
    args.push(tryId, Math.min(RESERVED_TIMEOUTS * redisTimeoutMs, RESERVED_MAX));
    type Scripts = Redis & Record<string, (...args: unknown[]) => Promise<unknown>>;
    return this.link.call((redis) => (redis as Scripts)[`ledger:${step}`]!(...args));
  }
}
