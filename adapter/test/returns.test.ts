import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from './candidates.ts';
import type { Client, Node } from './cluster.ts';
import { HeldReads } from './held-reads.ts';
import { RedisStage } from './stage.ts';

/** Returns that are cut off, come twice, or meet a node that lags behind: none may lose anything. */

const stage = new RedisStage('mailbox', { prefix: 't' });
const { start, connect } = stage;

const pidOf = (client: Client) => (client.socket as unknown as { _pid: string })._pid;
const recordOf = (client: Client) => `{t:0}:p:/,${pidOf(client)}`;

/** As a server does that takes a session and dies before the client hears of it. */
async function takeFor(client: Client, node: Node): Promise<unknown[][] | undefined> {
  const { mailbox } = node.candidate;
  const lost = await mailbox!.claim('/', pidOf(client));
  return lost && mailbox!.missed('/', lost, client.offset!, lost.rooms);
}

test('who came back once comes back again, also when the window of the first return is over', async () => {
  const a = await start({ recoverySeconds: 1 });
  const client = await connect(a, { rooms: ['room'] });
  await client.lose(a);
  expect(await client.comeBack(a)).toBe(true);
  const other = await connect(a);
  const record = recordOf(other);
  await other.lose(a);
  await until(async () => (await stage.admin.exists(record)) === 0);
  await client.lose(a);
  expect(await client.comeBack(a)).toBe(true);
});

test('word of a return elsewhere that comes late does not disturb the next one here', async () => {
  const [a, b] = [await start(), await start()];
  const client = await connect(a, { rooms: ['room'] });
  const reads = new HeldReads(a);
  // The read that was under way is not held.
  await a.publish(['room'], 'news', 0);
  await until(() => client.said.length === 1);
  await client.lose(a);
  expect(await client.comeBack(b)).toBe(true);
  await client.lose(b);
  // What A has read now and does not know yet: that the session is on B.
  await until(() => reads.waiting === 1);
  const back = client.comeBack(a);
  await until(
    async () => (await stage.admin.hget(recordOf(client), 'o')) === a.candidate.mailbox!.nodeId,
  );
  reads.letOne();
  await until(() => reads.waiting === 1);
  await a.candidate.mailbox!.settled();
  await b.publish(['room'], 'news', 1);
  reads.letAll();
  expect(await back).toBe(true);
  await b.publish(['room'], 'news', 2);
  await until(() => client.said.includes(2));
  expect(client.said).toEqual([0, 1, 2]);
});

test('a return that nobody heard of proves nothing about what was received', async () => {
  const heartbeat = { pingInterval: 100, pingTimeout: 400 };
  const options = { leaseMs: 100 };
  const [a, b] = [await start(options, heartbeat), await start(options, heartbeat)];
  const client = await connect(a, { rooms: ['room'] });
  await client.lose(a);
  await a.publish(['room'], 'news', 1);
  expect(await takeFor(client, b)).toHaveLength(1);
  // By Redis' clock, longer than a session needs to prove that it receives.
  const now = async () => Number((await stage.admin.time())[0]);
  const then = await now();
  await until(async () => (await now()) > then + 1);
  // Not the client itself: with such a heartbeat a busy machine would cut it off.
  expect(await takeFor(client, a)).toHaveLength(1);
});

test('returns that are cut off again and again prove nothing of what was missed before', async () => {
  const heartbeat = { pingInterval: 100, pingTimeout: 400 };
  const options = { leaseMs: 100 };
  const [a, b] = [await start(options, heartbeat), await start(options, heartbeat)];
  const client = await connect(a, { rooms: ['room'] });
  await client.lose(a);
  await a.publish(['room'], 'news', 1);
  const { offset } = client;
  const began = performance.now();
  // Each ends before the client has what it missed; all of them take longer than a proof does.
  for (let round = 0; performance.now() - began < 2500; round++) {
    const node = [b, a][round % 2]!;
    expect(await client.comeBack(node)).toBe(true);
    await client.lose(node);
    Object.assign(client.socket, { _lastOffset: offset });
    const then = performance.now() + 200;
    await until(() => performance.now() > then);
  }
  client.got.length = 0;
  expect(await client.comeBack(a)).toBe(true);
  await a.publish(['room'], 'news', 2);
  await until(() => client.said.includes(2));
  expect(client.said).toEqual([1, 2]);
});

test('a second return waits until the first has put the session back', async () => {
  const [a, b] = [await start(), await start()];
  const client = await connect(a, { rooms: ['room'] });
  await client.lose(a);
  await a.publish(['room'], 'news', 1);
  const lost = await b.candidate.mailbox!.claim('/', pidOf(client));
  const second = a.candidate.mailbox!.claim('/', pidOf(client));
  await b.candidate.mailbox!.missed('/', lost!, client.offset!, lost!.rooms);
  expect(await second).toMatchObject({ id: lost!.id });
});

test('a return to the same server waits until the first is over', async () => {
  const a = await start();
  const client = await connect(a, { rooms: ['room'] });
  await client.lose(a);
  await a.publish(['room'], 'news', 1);
  const both = await Promise.all([takeFor(client, a), takeFor(client, a)]);
  expect(both.map((missed) => missed?.length)).toEqual([1, 1]);
});

test('what a dead node had taken is taken over', async () => {
  const [a, b] = [await start(), await start({ leaseMs: 300 })];
  const client = await connect(a, { rooms: ['room'] });
  await client.lose(a);
  await b.candidate.mailbox!.claim('/', pidOf(client));
  await b.kill();
  expect(await client.comeBack(a)).toBe(true);
});

test('a return is taken once also by a node whose lease has run out', async () => {
  const a = await start({ timeoutMs: 300 });
  const client = await connect(a, { rooms: ['room'] });
  await client.lose(a);
  const { mailbox } = a.candidate;
  const lost = await mailbox!.claim('/', pidOf(client));
  await stage.admin.zadd('{t:0}:nodes', 1, mailbox!.nodeId);
  expect(await mailbox!.claim('/', pidOf(client))).toBeUndefined();
  const twice = [1, 2].map(() => mailbox!.missed('/', lost!, client.offset!, lost!.rooms));
  expect(await Promise.all(twice)).toEqual([[], undefined]);
});

test('what nobody continues is not waited for without end', async () => {
  const [a, b] = [await start({ timeoutMs: 300 }), await start()];
  const client = await connect(a);
  await client.lose(a);
  await b.candidate.mailbox!.claim('/', pidOf(client));
  expect(await client.comeBack(a)).toBe(false);
});

test('Redis hears afterwards who was lost while it was away, and since when', async () => {
  const a = await start({ timeoutMs: 300 });
  const client = await connect(a, { rooms: ['room'] });
  await stage.redis.kill();
  await until(() => !a.candidate.mailbox!.health.up);
  const before = Date.now();
  await client.lose(a);
  await stage.redis.restart();
  await until(async () => (await stage.admin.hget(recordOf(client), 'x')) !== null);
  const since = Number(await stage.admin.hget(recordOf(client), 'x'));
  expect(Math.abs(since - before)).toBeLessThan(500);
});

test('what Redis has forgotten of its last is not passed over, though a session stood before it', async () => {
  const [a, b] = [await start(), await start()];
  const client = await connect(a, { rooms: ['room'] });
  await a.publish(['room'], 'news', 1);
  await until(() => client.said.length === 1);
  await client.lose(a);
  await until(async () => (await stage.admin.hget(recordOf(client), 'x')) !== null);
  await b.publish(['room'], 'news', 2);
  const folder = join(stage.redis.dir, 'appendonlydir');
  const [log] = (await readdir(folder)).filter((file) => file.endsWith('.incr.aof'));
  const { size } = await stat(join(folder, log!));
  await b.publish(['room'], 'news', 3);
  const accepted = await texts(a);
  await stage.redis.kill();
  // As after a crash with `appendfsync everysec`: what was answered last is not in the file.
  await truncate(join(folder, log!), size);
  await stage.redis.restart();
  await until(() => [a, b].every((node) => node.candidate.mailbox!.health.up));
  const [id] = client.offset!.split('.').slice(1);
  const left = await texts(a);
  expect([accepted, left]).toEqual([
    ['1', '2', '3'],
    ['1', '2'],
  ]);
  const newest = await stage.admin.xrevrange(mailboxOf(a), '+', '-', 'COUNT', 1);
  expect(newest[0]![0] > id!).toBe(true);
  expect(await client.comeBack(b)).toBe(false);
});

const mailboxOf = (node: Node) => `{t:0}:m:${node.candidate.mailbox!.nodeId}`;

/** First arguments of the events in a node's mailbox. */
async function texts(node: Node): Promise<string[]> {
  const entries = await stage.admin.xrange(mailboxOf(node), '-', '+');
  return entries.flatMap(([, [, batch]]) =>
    [...batch!.matchAll(/"news",(\d)/g)].map(([, text]) => text!),
  );
}

test('a connection that ends while its session is given back costs nothing, on the same server', async () => {
  const a = await start();
  const client = await connect(a, { rooms: ['room'] });
  for (let round = 0; round < 10; round++) {
    await client.lose();
    await a.publish(['room'], 'news', round);
    client.socket.io.once('open', () => setImmediate(() => client.socket.io.engine.close()));
    await client.comeBack(a).catch(() => undefined);
    await until(() => client.socket.disconnected);
    expect(await client.comeBack(a)).toBe(true);
  }
  await a.publish(['room'], 'news', 10);
  await until(() => client.said.includes(10));
  expect(client.said).toEqual(Array.from({ length: 11 }, (_, round) => round));
});

test('a client is told that it is back before it is given what it missed', async () => {
  const [a, b] = [await start(), await start()];
  const client = await connect(a, { rooms: ['room'] });
  await client.lose(a);
  await a.publish(['room'], 'news', 1);
  const types: number[] = [];
  client.socket.io.on('packet' as never, ({ type }: { type: number }) => void types.push(type));
  for (const [round, node] of [a, b].entries()) {
    if (round > 0) await client.lose(a);
    types.length = 0;
    expect(await client.comeBack(node)).toBe(true);
    await node.publish(['room'], 'news', round + 2);
    await until(() => client.said.includes(round + 2));
    // CONNECT, then EVENT.
    expect(types.slice(0, 2)).toEqual([0, 2]);
  }
  expect(client.said).toEqual([1, 2, 3]);
});
