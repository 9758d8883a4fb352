import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { GatewayError } from '@streamgate/protocol/errors';
import { eventually } from '../../test/client.js';
import { type TestRedis, startRedis } from '../../test/redis.js';
import { Hub } from '../../test/sessions.js';
import type { Act } from '../backplane/backplane.js';
import { createMailboxBackplane } from '../backplane/mailbox.js';
import { redisOptions } from '../backplane/redis-options.js';
import { registryLua } from '../backplane/registry-lua.js';
import { readConfig } from '../config.js';
import { inboxLua } from '../inbox/inbox-scripts.js';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import { inParts } from './ledger-calls.js';
import { type Consumer, type Deed, OutOfTurn, type Verdict } from './ledger.js';
import { ScriptLedger } from './script-ledger.js';

const STREAM = 'streamgate:emit';
const consumer: Consumer = { stream: STREAM, group: 'streamgate', leaseKey: 'lease', token: 'a/1' };
const receipts = 'streamgate:receipt:a';

let server: TestRedis;
let redis: Redis;
let hub: Hub;
let ledger: ScriptLedger;
beforeAll(async () => {
  log.level = 'silent';
  server = await startRedis();
  redis = new Redis(server.url);
});
beforeEach(async () => {
  await redis.flushall();
  await redis.set('lease', 'a/1');
  await redis.xgroup('CREATE', STREAM, 'streamgate', '0', 'MKSTREAM');
  const config = readConfig({ STREAMGATE_MODE: 'development', STREAMGATE_REDIS_URL: server.url });
  const backplane = createMailboxBackplane(
    config,
    (purpose) => new Redis(redisOptions(server.url, purpose)),
  );
  hub = await new Hub(config, backplane).start();
  ledger = new ScriptLedger(
    { together: (acts, guard) => backplane.together!(acts, guard) },
    config,
    inboxLua(config) + registryLua(config.redisPrefix),
  );
});
afterEach(() => hub.close());
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

function emit(n: number): Act {
  return { namespace: '/', to: '*', event: 'news', args: [n] };
}

/** An entry that is pending. */
async function written(): Promise<string> {
  const id = await redis.xadd(STREAM, '*', 'n', 1);
  await redis.xreadgroup('GROUP', 'streamgate', 'c', 'STREAMS', STREAM, '>');
  return id!;
}

async function receiptsOf(stream: string): Promise<Record<string, string>[]> {
  return (await redis.xrange(stream, '-', '+')).map(([, fields]) =>
    Object.fromEntries(
      Array.from({ length: fields.length / 2 }, (_, n) => [fields[2 * n]!, fields[2 * n + 1]!]),
    ),
  );
}

test('what could not be sent is neither recorded nor acknowledged', async () => {
  const { client } = await hub.connect({ id: 'alice' });
  const [mailbox] = await redis.keys('*:m:*');
  const deed: Deed = {
    entry: await written(),
    once: { key: 'k', digest: 'x' },
    acts: [emit(1)],
    report: { stream: receipts, outcome: 'done', fields: [] },
  };
  await redis.rename(mailbox!, 'aside');
  await redis.set(mailbox!, 'no stream');
  await expect(ledger.settle([deed], consumer)).rejects.toMatchObject({
    code: 'backplane_unavailable',
  });
  expect((await redis.xpending(STREAM, 'streamgate'))[0]).toBe(1);
  expect(await redis.xlen(STREAM)).toBe(1);
  expect(await redis.exists(receipts)).toBe(0);
  await redis.rename('aside', mailbox!);
  await eventually(
    async () => ledger.settle([deed], consumer).catch(() => undefined),
    (verdicts) => verdicts !== undefined,
  ).then((verdicts) => expect(verdicts).toEqual([{ outcome: 'done', inboxed: 0 }]));
  await eventually(
    () => client.all('news'),
    (news) => news.length > 0,
  );
  expect(client.all('news')).toEqual([1]);
});

test('nothing is done as long as what it is to come after is pending', async () => {
  const { client } = await hub.connect({ id: 'alice' });
  const [before, entry] = [await written(), await written()];
  const deed = { entry, acts: [emit(2)] };
  const after = { ...consumer, after: before };
  await expect(ledger.settle([deed], after)).rejects.toBeInstanceOf(OutOfTurn);
  expect((await redis.xpending(STREAM, 'streamgate'))[0]).toBe(2);
  // Both under way: in the order in which they were asked for.
  await Promise.all([
    ledger.settle([{ entry: before, acts: [emit(1)] }], consumer),
    ledger.settle([deed], after),
  ]);
  await eventually(
    () => client.all('news'),
    (news) => news.length === 2,
  );
  expect(client.all('news')).toEqual([1, 2]);
});

test('a receipt is written with what it tells of, also when the answer is lost', async () => {
  const once = { key: 'k', digest: 'x' };
  const report = { stream: receipts, outcome: 'done', sessions: 2, fields: ['id', 'i'] } as const;
  const inbox = { namespace: '/', users: ['bob'], tag: 't', payload: '["news"]' };
  await ledger.settle([{ acts: [] }]);
  server.pause();
  const lost = ledger.settle([{ once, acts: [emit(1)], inbox, report }]);
  await expect(lost).rejects.toMatchObject({ code: 'backplane_unavailable' });
  server.resume();
  await eventually(
    () => hub.backplane.health().up,
    (up) => up,
  );
  const expired = { stream: receipts, outcome: 'expired', fields: [] } as const;
  await ledger.settle([
    { once, acts: [], report },
    { once: { ...once, digest: 'y' }, acts: [], report },
    { acts: [], report: expired },
  ]);
  expect(await receiptsOf(receipts)).toEqual([
    { id: 'i', outcome: 'done', sessions: '2', inboxed: '1' },
    { id: 'i', outcome: 'duplicate', inboxed: '0' },
    { outcome: 'expired', inboxed: '0' },
  ]);
  expect(await redis.ttl(receipts)).toBeGreaterThan(3500);
});

test('a receipt that cannot be written is counted, and stops nothing', async () => {
  await redis.set(receipts, 'no stream');
  const before = metrics.receiptsLost.value();
  const report = { stream: receipts, outcome: 'done', fields: [] } as const;
  const verdicts = await ledger.settle([{ acts: [emit(1)], report }]);
  expect(verdicts).toEqual([{ outcome: 'done', inboxed: 0 }]);
  expect(metrics.receiptsLost.value()).toBe(before + 1);
});

test('one call names few users, unless a single deed has more', async () => {
  const users = (count: number) => Array.from({ length: count }, (_, n) => `u${n}`);
  const keep = (count: number): Deed => ({
    inbox: { namespace: '/', users: users(count), tag: 't', payload: '[]' },
    acts: [],
  });
  const sizes: number[] = [];
  await inParts([keep(600), keep(400), keep(1), keep(1000), keep(5000)], consumer, (part) => {
    sizes.push(part.length);
    return Promise.resolve(part.map(() => ({ outcome: 'done', inboxed: 0 })));
  });
  expect(sizes).toEqual([2, 1, 1, 1]);
});

test('behind a part that failed nothing is begun, and all of it fails alike', async () => {
  const deeds = Array.from({ length: 200 }, (): Deed => ({ acts: [] }));
  const sizes: number[] = [];
  const settle = (part: readonly Deed[]): Promise<Verdict[]> => {
    sizes.push(part.length);
    return sizes.length === 2
      ? Promise.reject(new GatewayError('backplane_unavailable'))
      : Promise.resolve(part.map(() => ({ outcome: 'done', inboxed: 0 })));
  };
  const verdicts = await inParts(deeds, undefined, settle);
  expect(sizes).toEqual([64, 64]);
  expect(verdicts).toHaveLength(200);
  expect(verdicts.filter((each) => each instanceof GatewayError)).toHaveLength(136);
});
