import { once } from 'node:events';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { streamNames } from '@streamgate/protocol/stream';
import { eventually } from '../../../test/client.js';
import { type TestRedis, startRedis } from '../../../test/redis.js';
import type { Backplane } from '../../backplane/backplane.js';
import { RedisLink } from '../../backplane/redis-link.js';
import { redisOptions } from '../../backplane/redis-options.js';
import { log } from '../../ops/log.js';
import type { Executor } from '../execute.js';
import { Receipts } from '../receipts.js';
import { StreamDoor } from './stream-door.js';

const names = streamNames('streamgate');

let server: TestRedis;
let redis: Redis;
const open: { close(): unknown }[] = [];
beforeAll(async () => {
  log.level = 'silent';
  server = await startRedis();
  redis = new Redis(server.url);
});
beforeEach(() => redis.flushall());
afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.close();
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

/** Entries that each node has executed. */
const done: { node: string; entry: string }[] = [];

/** @param executeAll stands for a ledger, and acknowledges */
async function startDoor(
  node: string,
  partitions: number,
  { url = server.url, executeAll = acknowledging(node) } = {},
): Promise<StreamDoor> {
  const link = new RedisLink((purpose) => new Redis(redisOptions(server.url, purpose)), 500);
  await link.start();
  open.push(link);
  const door = new StreamDoor({
    config: {
      redisPrefix: 'streamgate',
      redisTimeoutMs: 500,
      streamPartitions: partitions,
      commandMaxBytes: 10_000,
    },
    backplane: {
      nodeId: node,
      health: () => ({ up: true }),
      caughtUp: async () => undefined,
    } as unknown as Backplane,
    executor: { executeAll, chains: false },
    receipts: new Receipts(link, 'streamgate', node),
    link,
    connect: (purpose) => new Redis(redisOptions(url, purpose)),
  });
  open.push(door);
  door.start(() => true);
  return door;
}

function acknowledging(node: string): Executor['executeAll'] {
  return async (items, _, consumer) => {
    await redis.xack(consumer!.stream, consumer!.group, ...items.map(({ entry }) => entry!));
    done.push(...items.map(({ entry }) => ({ node, entry: entry! })));
    return items.map(() => ({ outcome: 'done', inboxed: 0 }));
  };
}

const write = async (partition: number) =>
  (await redis.xadd(names.partition(partition), '*', 'to', 'user:1', 'event', 'x'))!;
const executed = (written: string, byWhom: string) =>
  vi.waitUntil(() => done.some(({ node, entry }) => entry === written && node === byWhom), 15_000);
const leaseOf = (node: string) =>
  eventually(
    () => redis.get('{streamgate}:1:ingest:lease:0'),
    (token) => token?.startsWith(`${node}/`) === true,
  );

test('after a Redis that came back empty the number is known again, and all is executed', async () => {
  await startDoor('a', 4);
  await executed(await write(3), 'a');
  await redis.flushall();
  await executed(await write(3), 'a');
  expect(await redis.get(names.partitions)).toBe('4');
});

test('who cannot read a partition leaves it to others, though it lives', async () => {
  const sockets: Socket[] = [];
  const nowhere = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
  await once(nowhere, 'listening');
  open.push({
    close() {
      for (const socket of sockets) socket.destroy();
      nowhere.close();
    },
  });
  await startDoor('deaf', 1, {
    url: `redis://127.0.0.1:${(nowhere.address() as AddressInfo).port}`,
  });
  await leaseOf('deaf');
  await startDoor('other', 1);
  await executed(await write(0), 'other');
}, 20_000);

test('who hangs in an entry leaves its partition to others', async () => {
  let hang = true;
  const hangs: Executor['executeAll'] = (...args) =>
    hang ? new Promise(() => undefined) : acknowledging('hung')(...args);
  await startDoor('hung', 1, { executeAll: hangs });
  await leaseOf('hung');
  const written = await write(0);
  await startDoor('other', 1);
  await executed(written, 'other');
  hang = false;
}, 20_000);

test('a fault of its own turn is an error in the log', async () => {
  const error = vi.spyOn(log, 'error');
  const door = await startDoor('a', 1);
  Reflect.set(door, 'readLag', () => {
    throw new Error('a fault');
  });
  await vi.waitUntil(() => error.mock.calls.length > 0);
  expect(error.mock.calls[0]![0]).toMatchObject({ err: { message: 'a fault' } });
  error.mockRestore();
});
