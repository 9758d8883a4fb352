import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GatewayError } from '@streamgate/protocol/errors';
import { startRedis, type TestRedis } from '../../test/redis.js';
import { RedisLink } from '../backplane/redis-link.js';
import { redisOptions } from '../backplane/redis-options.js';
import { metrics } from '../ops/metrics.js';
import { Receipts } from './receipts.js';

let server: TestRedis;
let redis: Redis;
let link: RedisLink;
let receipts: Receipts;
beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  link = new RedisLink((purpose) => new Redis(redisOptions(server.url, purpose)), 500);
  await link.start();
  receipts = new Receipts(link, 'shop', 'node-1');
});
afterAll(async () => {
  redis.disconnect();
  link.close();
  await server.stop();
});

async function read(stream: string): Promise<Record<string, string>[]> {
  return (await redis.xrange(stream, '-', '+')).map(([, fields]) =>
    Object.fromEntries(
      Array.from({ length: fields.length / 2 }, (_, n) => [fields[2 * n], fields[2 * n + 1]]),
    ),
  );
}

const time = expect.stringMatching(/^\d{13}$/) as string;

test('says what became of each command, to whom asked', async () => {
  const receipt = 'shop:receipt:a';
  await receipts.write(
    [
      { input: { receipt, id: 'i1' }, entry: '1-0' },
      { input: {} },
      { input: { receipt } },
      { input: { receipt, id: 'i4' } },
      { input: { receipt, id: 7 } },
      { input: { receipt: 'shop:receipt:b' }, entry: '6-0' },
    ],
    [
      { outcome: 'done', sessions: 2, inboxed: 1 },
      { outcome: 'done', inboxed: 0 },
      { outcome: 'duplicate', inboxed: 0 },
      new GatewayError('reserved_event'),
      { outcome: 'expired', inboxed: 0 },
      new GatewayError('room_forbidden'),
    ],
  );
  const always = { node: 'node-1', time };
  expect(await read(receipt)).toEqual([
    { id: 'i1', entry: '1-0', outcome: 'done', sessions: '2', inboxed: '1', ...always },
    { outcome: 'duplicate', inboxed: '0', ...always },
    { id: 'i4', outcome: 'refused', code: 'reserved_event', inboxed: '0', ...always },
    { outcome: 'expired', inboxed: '0', ...always },
  ]);
  expect(await read('shop:receipt:b')).toEqual([
    { entry: '6-0', outcome: 'refused', code: 'room_forbidden', inboxed: '0', ...always },
  ]);
  const ttl = await redis.ttl(receipt);
  expect(ttl).toBeGreaterThan(3500);
  expect(ttl).toBeLessThanOrEqual(3600);
});

test('nowhere else, and none for a failure that passes', async () => {
  const asked = ['shop:emit', 'shop:receipt:', 'other:receipt:a', 7].map((receipt) => ({
    input: { receipt },
  }));
  const done = { outcome: 'done', inboxed: 0 } as const;
  await receipts.write(asked, [done, done, done, done]);
  await receipts.write(
    [{ input: { receipt: 'shop:receipt:c' } }],
    [new GatewayError('backplane_unavailable')],
  );
  for (const name of ['shop:emit', 'shop:receipt:', 'other:receipt:a', '7', 'shop:receipt:c'])
    expect(await redis.exists(name)).toBe(0);
});

test('a stream is bounded, roughly', async () => {
  const asked = Array.from({ length: 3000 }, () => ({ input: { receipt: 'shop:receipt:many' } }));
  const outcomes = asked.map(() => ({ outcome: 'done', inboxed: 0 }) as const);
  await receipts.write(asked, outcomes);
  expect(await redis.xlen('shop:receipt:many')).toBeLessThan(1200);
});

test('what cannot be written is counted, and the command stays executed', async () => {
  const before = metrics.receiptsLost.value();
  const done = { outcome: 'done', inboxed: 0 } as const;
  await redis.set('shop:receipt:no-stream', 'x');
  await receipts.write([{ input: { receipt: 'shop:receipt:no-stream' } }], [done]);
  await server.kill();
  await receipts.write([{ input: { receipt: 'shop:receipt:a' } }], [done]);
  expect(metrics.receiptsLost.value()).toBe(before + 2);
});
