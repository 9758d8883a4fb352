import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { GatewayError } from '@streamgate/protocol/errors';
import { deadOfEntry } from '@streamgate/protocol/stream';
import { eventually } from '../../../test/client.js';
import { type TestRedis, startRedis } from '../../../test/redis.js';
import { RedisLink } from '../../backplane/redis-link.js';
import { redisOptions } from '../../backplane/redis-options.js';
import { log } from '../../ops/log.js';
import { metrics } from '../../ops/metrics.js';
import type { Executor } from '../execute.js';
import { OutOfTurn } from '../ledger.js';
import { Receipts } from '../receipts.js';
import { DeadLetters } from './dead-letters.js';
import { KeyMoves } from './key-moves.js';
import { PartitionReader } from './partition-reader.js';
import { Partition } from './partition.js';

const STREAM = 'streamgate:emit';
const DEAD = 'streamgate:emit:dead';
const LEASE = 'lease';

let server: TestRedis;
let redis: Redis;
let link: RedisLink;
let partition: Partition | undefined;
const connect = () => new Redis(redisOptions(server.url, 'reader'));

beforeAll(async () => {
  log.level = 'silent';
  server = await startRedis();
  redis = new Redis(server.url);
  link = new RedisLink(connect, 1000);
  await link.start();
});
beforeEach(async () => {
  await redis.flushall();
  await redis.set(LEASE, 'node/a/0');
});
afterEach(() => partition?.stop());
afterAll(async () => {
  link.close();
  redis.disconnect();
  await server.stop();
});

/** What the ledger does with a batch: acknowledges it, if it may. */
async function acknowledge(...[items, , consumer]: Parameters<Executor['executeAll']>) {
  const { stream, group, leaseKey, token } = consumer!;
  if ((await redis.get(leaseKey)) !== token) throw new GatewayError('lease_lost');
  await redis.xack(stream, group, ...items.map(({ entry }) => entry!));
  return items.map(() => ({ outcome: 'done', inboxed: 0 }) as const);
}

/** @param executeAll stands for a ledger that fails in ways in which a real one seldom does */
function execute(
  executeAll: Executor['executeAll'],
  isUp = () => true,
  caughtUp = async () => undefined as void,
  deadBytes?: number,
  chains = false,
): Partition {
  const reader = new PartitionReader(
    connect,
    {
      stream: STREAM,
      group: 'streamgate',
      consumer: 'node',
      leaseKey: LEASE,
      historyKey: 'history',
      base: 'node/a',
      largest: 10_000,
    },
    1000,
  );
  const parts = {
    reader,
    moves: new KeyMoves(0, async () => []),
    dead: new DeadLetters(reader, DEAD, 'node', deadBytes),
    executor: { executeAll, chains },
    receipts: new Receipts(link, 'streamgate', 'node'),
    commandMaxBytes: 10_000,
    isUp,
    caughtUp,
    clockAhead: () => 0,
  };
  partition = new Partition(0, parts, Promise.resolve());
  return partition;
}

async function write(count: number): Promise<void> {
  for (let n = 0; n < count; n++)
    await redis.xadd(STREAM, '*', 'to', 'user:1', 'event', 'x', 'data', n);
}
const pending = async () => (await redis.xpending(STREAM, 'streamgate'))[0];
const numbers = (items: Parameters<Executor['executeAll']>[0]) =>
  items.map(({ input }) => 'args' in input && input.args[0]);

test('what always fails is found out, tried again in its turn, and given up', async () => {
  await write(20);
  const done: unknown[] = [];
  let failures = 0;
  execute(async (...args) => {
    const batch = numbers(args[0]);
    if (batch.includes(7)) {
      if (batch.length === 1) failures++;
      throw new GatewayError('backplane_unavailable');
    }
    const outcomes = await acknowledge(...args);
    done.push(...batch);
    return outcomes;
  });
  await vi.waitUntil(() => done.length === 19, 15_000);
  expect(done).toEqual(Array.from({ length: 20 }, (_, n) => n).filter((n) => n !== 7));
  expect(failures).toBe(8);
  const [[, entry]] = (await redis.xrange(DEAD, '-', '+')) as [[string, string[]]];
  const { fields, letter } = deadOfEntry(entry)!;
  expect(fields.at(-1)).toBe('7');
  expect(letter).toMatchObject({ code: 'gave_up', stream: STREAM, node: 'node' });
  expect(letter.reason).toContain('backplane_unavailable');
  expect(await pending()).toBe(0);
}, 20_000);

test('nothing is held against an entry while other nodes cannot be reached', async () => {
  await write(1);
  let tries = 0;
  let isUp = false;
  execute(
    async (...args) => {
      tries++;
      if (!isUp) throw new GatewayError('backplane_unavailable');
      return acknowledge(...args);
    },
    () => isUp,
  );
  await vi.waitUntil(() => tries > 8, 15_000);
  isUp = true;
  await eventually(pending, (count) => count === 0);
  expect(await redis.exists(DEAD)).toBe(0);
}, 20_000);

test('an entry whose calls never get an answer, so that Redis counts as away, is given up', async () => {
  await write(1);
  let isUp = true;
  execute(
    async () => {
      isUp = false;
      setTimeout(() => (isUp = true), 20);
      throw new GatewayError('backplane_unavailable');
    },
    () => isUp,
  );
  await eventually(
    () => redis.xlen(DEAD),
    (length) => length === 1,
    30_000,
  );
  expect(await pending()).toBe(0);
}, 35_000);

test('a delivery that is never heard of does not hold up what comes later', async () => {
  const done: unknown[] = [];
  execute(
    async (...args) => {
      done.push(...numbers(args[0]));
      return acknowledge(...args);
    },
    () => true,
    () => new Promise<void>(() => undefined),
  );
  for (let n = 0; n < 40; n++) {
    await redis.xadd(STREAM, '*', 'to', 'user:1', 'event', 'x', 'data', n);
    await vi.waitUntil(() => done.length === n + 1, 5000);
  }
}, 20_000);

test('an answer that is lost on the way leaves nothing lying', async () => {
  await write(3);
  const done: unknown[] = [];
  let isFirst = true;
  execute(async (...args) => {
    if (isFirst) {
      isFirst = false;
      throw new GatewayError('backplane_unavailable');
    }
    done.push(...numbers(args[0]));
    return acknowledge(...args);
  });
  await vi.waitUntil(() => done.length === 3);
  // Its connections are cut while it waits for more.
  await redis.call('CLIENT', 'KILL', 'TYPE', 'normal');
  await write(2);
  await vi.waitUntil(() => done.length === 5);
  expect(done).toEqual([0, 1, 2, 0, 1]);
});

test('several batches are under way, and none overtakes one that fails', async () => {
  await write(64);
  // Of this batch nothing comes to the ledger, which could tell that it is not its turn.
  for (let n = 0; n < 64; n++) await redis.xadd(STREAM, '*', 'to', 'user:1', 'colour', 'red');
  await write(100);
  const done: unknown[] = [];
  let under = 0;
  let most = 0;
  let tries = 0;
  const chaining: Executor['executeAll'] = async (...args) => {
    const first = tries++ === 0;
    const { after } = args[2]!;
    under++;
    most = Math.max(most, under);
    try {
      if (first) await vi.waitUntil(() => most > 1);
      if (first) throw new GatewayError('backplane_unavailable');
      const waits = after && (await redis.xpending(STREAM, 'streamgate', after, after, 1));
      if (waits && waits.length > 0) throw new OutOfTurn();
      const outcomes = await acknowledge(...args);
      done.push(...numbers(args[0]));
      return outcomes;
    } finally {
      under--;
    }
  };
  const always = () => true;
  execute(chaining, always, async () => undefined, undefined, true);
  await vi.waitUntil(() => done.length === 164, 5000);
  expect(done).toEqual([...Array(64).keys(), ...Array(100).keys()]);
  await eventually(pending, (count) => count === 0);
  expect(await redis.xlen(DEAD)).toBe(64);
});

test('who has lost the lease reads nothing, executes nothing, and ends', async () => {
  const done: unknown[] = [];
  const held = execute(async (...args) => {
    done.push(...numbers(args[0]));
    return acknowledge(...args);
  });
  await write(1);
  await vi.waitUntil(() => done.length === 1);
  await redis.set(LEASE, 'other/b/0');
  await write(1);
  await held.ended;
  expect(done).toHaveLength(1);
  expect(await pending()).toBe(0);
});

test('the dead stream is bounded, and what goes out of it is counted', async () => {
  const before = metrics.deadLettersDropped.value();
  const pipeline = redis.pipeline();
  for (let n = 0; n < 11_000; n++) pipeline.xadd(STREAM, '*', 'to', 'user:1', 'colour', 'red');
  await pipeline.exec();
  execute(acknowledge);
  await eventually(
    () => redis.xlen(STREAM),
    (length) => length === 0,
  );
  expect(await redis.xlen(DEAD)).toBeLessThan(10_200);
  expect(metrics.deadLettersDropped.value() - before).toBe(11_000 - (await redis.xlen(DEAD)));
});

test('so it is by its bytes, and keeps the newest whole', async () => {
  const before = metrics.deadLettersDropped.value();
  const said = 'x'.repeat(20_000);
  for (let n = 0; n < 100; n++) await redis.xadd(STREAM, '*', 'to', n, 'data', said);
  execute(acknowledge, undefined, undefined, 500_000);
  await eventually(
    () => redis.xlen(STREAM),
    (length) => length === 0,
  );
  const kept = await redis.xrange(DEAD, '-', '+');
  expect(kept.length).toBeGreaterThan(20);
  expect(kept.length).toBeLessThan(26);
  expect(kept.map(([, fields]) => fields.slice(0, 4))).toEqual(
    kept.map((_, index) => ['to', String(100 - kept.length + index), 'data', said]),
  );
  expect(metrics.deadLettersDropped.value() - before).toBe(100 - kept.length);
});

test('a dead letter that is larger than the bound is kept until the next', async () => {
  for (const to of ['1', '2']) await redis.xadd(STREAM, '*', 'to', to, 'data', 'x'.repeat(20_000));
  execute(acknowledge, undefined, undefined, 1000);
  await eventually(
    () => redis.xlen(STREAM),
    (length) => length === 0,
  );
  const kept = await redis.xrange(DEAD, '-', '+');
  expect(kept.map(([, fields]) => fields[1])).toEqual(['2']);
});
