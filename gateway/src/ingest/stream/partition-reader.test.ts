import { once } from 'node:events';
import { type AddressInfo, type Socket, connect as dial, createServer } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { deadOfEntry } from '@streamgate/protocol/stream';
import { GatewayError } from '@streamgate/protocol/errors';
import { type TestRedis, startRedis } from '../../../test/redis.js';
import { redisOptions } from '../../backplane/redis-options.js';
import { DeadLetters } from './dead-letters.js';
import { BATCH_BYTES, type Entry, PartitionReader } from './partition-reader.js';

const STREAM = 'streamgate:emit';
const DEAD = 'streamgate:emit:dead';
const KB = 1024;

let server: TestRedis;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});
beforeEach(async () => {
  await redis.flushall();
  await redis.set('lease', 'node/a/0');
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

function readerOf(url = server.url, made: Redis[] = []): PartitionReader {
  return new PartitionReader(
    (purpose) => {
      const client = new Redis(redisOptions(url, purpose));
      made.push(client);
      return client;
    },
    {
      ...{ stream: STREAM, group: 'streamgate', consumer: 'node', leaseKey: 'lease' },
      ...{ historyKey: 'history', base: 'node/a', largest: 200 * KB },
    },
    500,
  );
}

const write = (bytes: number, ...fields: string[]) =>
  redis.xadd(STREAM, '*', 'to', 'user:1', 'data', 'x'.repeat(bytes), ...fields);
const bytesOf = (entries: readonly Entry[]) =>
  entries.flatMap(({ fields }) => fields).join('').length;

async function begin(reader: PartitionReader): Promise<Entry[][]> {
  const pages: Entry[][] = [];
  for await (const { entries } of reader.begin()) pages.push(entries);
  return pages;
}

test('a read takes as many large entries as arrive in time, and so does who claims them', async () => {
  const reader = readerOf();
  for (let n = 0; n < 10; n++) await write(100 * KB);
  await begin(reader);
  const read: Entry[] = [];
  while (read.length < 10) {
    const { entries } = await reader.read();
    expect(entries.length).toBeGreaterThan(0);
    expect(bytesOf(entries)).toBeLessThan(BATCH_BYTES + 101 * KB);
    read.push(...entries);
  }
  const pages = await begin(reader);
  expect(pages.length).toBeGreaterThan(3);
  for (const page of pages) expect(bytesOf(page)).toBeLessThan(BATCH_BYTES + 101 * KB);
  expect(pages.flat()).toEqual(read);
  reader.close();
});

test('what is too large does not leave Redis, neither to be read nor to be buried', async () => {
  const reader = readerOf();
  await begin(reader);
  await write(201 * KB, 'receipt', 'streamgate:receipt:x', 'id', '7');
  await redis.xadd(STREAM, '*', ...Array.from({ length: 9000 }, () => ''));
  const { entries } = await reader.read();
  expect(entries).toMatchObject([
    { fields: ['to', 'user:1', 'receipt', 'streamgate:receipt:x', 'id', '7'], isTooLarge: true },
    { fields: [], isTooLarge: true },
  ]);
  expect((await begin(reader)).flat()).toEqual(entries);
  const error = new GatewayError('payload_too_large');
  await new DeadLetters(reader, DEAD, 'node').bury(entries.map((entry) => ({ entry, error })));
  const letters = (await redis.xrange(DEAD, '-', '+')).map(([, texts]) => deadOfEntry(texts)!);
  expect(letters[0]!.fields).toHaveLength(8);
  expect(letters[0]!.fields[3]).toHaveLength(201 * KB);
  expect(JSON.parse(letters[1]!.fields[1]!)).toHaveLength(9000);
  expect(letters[0]!.letter).toMatchObject({ code: 'payload_too_large', entry: entries[0]!.id });
  expect(await redis.xlen(STREAM)).toBe(0);
  reader.close();
});

test('a connection that is never there is given up for a new one', async () => {
  // The first vanishes in a network that says nothing.
  const sockets: Socket[] = [];
  const network = createServer((socket) => {
    if (sockets.push(socket) === 1) return;
    const there = dial(server.port, '127.0.0.1');
    sockets.push(there);
    socket.pipe(there).pipe(socket);
    for (const each of [socket, there]) each.on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  await once(network, 'listening');
  const made: Redis[] = [];
  const reader = readerOf(`redis://127.0.0.1:${(network.address() as AddressInfo).port}`, made);
  const listeners = () => made[0]!.listenerCount('error');
  const before = listeners();
  const tried = Date.now();
  await expect(begin(reader)).rejects.toMatchObject({ code: 'backplane_unavailable' });
  expect(listeners()).toBe(before);
  await begin(reader);
  expect(Date.now() - tried).toBeLessThan(4000);
  reader.close();
  for (const socket of sockets) socket.destroy();
  network.close();
});
