import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { OutboundEntry } from '@streamgate/protocol/outbound';
import { connect, eventually } from '../client.js';
import { ALICE, BOB, Cluster, alice } from '../cluster.js';
import { startNode } from '../node.js';
import { startRedis } from '../redis.js';

const STREAM = 'streamgate:events';

/** All entries of the stream so far. */
async function entriesIn(redis: Redis): Promise<OutboundEntry[]> {
  return (await redis.xrange(STREAM, '-', '+')).map(([, fields]) => {
    const pairs = fields.flatMap((name, at) => (at % 2 ? [] : [[name, fields[at + 1]]]));
    return OutboundEntry.parse(Object.fromEntries(pairs));
  });
}

describe.each(['mailbox', 'streams', 'pubsub'] as const)('on %s', (topology) => {
  const cluster = new Cluster(topology, {
    STREAMGATE_EVENTS_OUT: 'message,first_session,last_session,join,leave',
  });
  let redis: Redis;
  beforeAll(async () => {
    await cluster.start();
    redis = new Redis(cluster.redisUrl);
  });
  afterEach(async () => {
    await cluster.clear();
    await redis.del(STREAM);
  });
  afterAll(async () => {
    redis.disconnect();
    await cluster.stop();
  });

  const heard = (count: number) =>
    eventually(
      () => entriesIn(redis),
      (entries) => entries.length >= count,
    );

  test('a message is in the stream before it is answered', async () => {
    const client = await cluster.connect(ALICE, 'two');
    const payload = { message: { text: 'Hello' }, timestamp: 'now', n: 1e21 };
    const answer = await client.ask('message', payload);
    expect(answer.data).toMatchObject({ success: true });
    const entries = await entriesIn(redis);
    expect(entries.filter(({ type }) => type === 'message')).toEqual([
      {
        type: 'message',
        nsp: '/',
        userId: 'alice',
        sessionId: client.socket.id,
        event: 'message',
        data: JSON.stringify(payload),
        time: expect.any(String) as string,
      },
    ]);
  });

  test('messages of a session are in the order in which it sent them', async () => {
    const client = await cluster.connect(ALICE, 'one');
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    await Promise.all(numbers.map((n) => client.ask('message', { message: n })));
    const messages = (await entriesIn(redis)).filter(({ type }) => type === 'message');
    expect(messages.map(({ data }) => (JSON.parse(data) as { message: number }).message)).toEqual(
      numbers,
    );
  });

  test('a user comes once and goes once, however many devices on however many nodes', async () => {
    const devices = [await cluster.connect(ALICE, 'one'), await cluster.connect(ALICE, 'two')];
    for (const device of devices) device.close();
    const entries = await heard(2);
    expect(entries.map(({ type, userId, data }) => [type, userId, JSON.parse(data)])).toEqual([
      ['first_session', 'alice', { user: alice }],
      ['last_session', 'alice', { user: alice }],
    ]);
  });

  test('joins and leaves, the one at the end included', async () => {
    const client = await cluster.connect(BOB, 'two');
    const id = client.socket.id;
    await client.ask('join-room', { room: 'course:1' });
    await client.ask('join-room', { room: 'course:2' });
    await client.ask('leave-room', { room: 'course:1' });
    client.close();
    const entries = (await heard(6)).filter(({ type }) => type === 'join' || type === 'leave');
    expect(entries.map(({ type, sessionId, data }) => [type, sessionId, JSON.parse(data)])).toEqual(
      [
        ['join', id, { room: 'course:1' }],
        ['join', id, { room: 'course:2' }],
        ['leave', id, { room: 'course:1' }],
        ['leave', id, { room: 'course:2' }],
      ],
    );
  });
});

test('only what was asked for is written, and the stream is bounded', async () => {
  const server = await startRedis();
  const node = await startNode({
    STREAMGATE_REDIS_URL: server.url,
    STREAMGATE_EVENTS_OUT: 'message',
    STREAMGATE_EVENTS_OUT_LENGTH: '100',
    STREAMGATE_EVENTS_PER_SECOND: '10000',
    STREAMGATE_EVENTS_BURST: '10000',
  });
  const redis = new Redis(server.url);
  const { client } = await connect(node.url, ALICE);
  for (let message = 0; message < 500; message += 1) await client.ask('message', { message });
  const entries = await entriesIn(redis);
  expect(new Set(entries.map(({ type }) => type))).toEqual(new Set(['message']));
  // Redis trims whole nodes of the stream, of a hundred entries.
  expect(entries.length).toBeGreaterThanOrEqual(100);
  expect(entries.length).toBeLessThanOrEqual(200);
  expect(entries.at(-1)?.data).toBe('{"message":499}');
  client.close();
  redis.disconnect();
  await node.stop();
  await server.stop();
});

test('without Redis a message is refused, retryably, and is not answered as received', async () => {
  const server = await startRedis();
  const node = await startNode({
    STREAMGATE_REDIS_URL: server.url,
    STREAMGATE_EVENTS_OUT: 'message',
  });
  const { client } = await connect(node.url, ALICE);
  const refused = { code: 'backplane_unavailable', retryable: true };
  server.pause();
  expect((await client.ask('message', { message: 1 })).error).toMatchObject(refused);
  server.resume();
  await server.kill();
  expect((await client.ask('message', { message: 2 })).error).toMatchObject(refused);
  expect(await client.next('error')).toMatchObject({ ...refused, event: 'message' });
  expect(client.has('messageReceived')).toBe(false);
  await server.restart();
  await eventually(
    async () => (await client.ask('message', { message: 3 })).data as object | undefined,
    (data) => data !== undefined,
  );
  client.close();
  await node.stop();
  await server.stop();
});

test("the documentation's consumer group hears a client", async () => {
  const page = readFileSync(new URL('../../../docs/events-out.md', import.meta.url), 'utf8');
  const [, example = ''] = /^```js\n(.*?)^```$/ms.exec(page) ?? [];
  const server = await startRedis();
  const node = await startNode({
    STREAMGATE_REDIS_URL: server.url,
    STREAMGATE_EVENTS_OUT: 'message,first_session',
  });
  const { client } = await connect(node.url, ALICE);
  await client.ask('message', { message: 'Hello' });
  const code = example.replace('redis://localhost:6379', server.url);
  const service = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
  });
  let output = '';
  service.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  service.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await eventually(
    () => output,
    (text) => text.includes("message alice { message: 'Hello' }\n"),
  );
  expect(output).toContain('first_session alice');
  // What it has handled is acknowledged.
  const redis = new Redis(server.url);
  await eventually(
    async () => ((await redis.xpending(STREAM, 'audit')) as [number])[0],
    (pending) => pending === 0,
  );
  service.kill();
  redis.disconnect();
  client.close();
  await node.stop();
  await server.stop();
});
