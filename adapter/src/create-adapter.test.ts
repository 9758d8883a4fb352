import { Redis } from 'ioredis';
import type { Server } from 'socket.io';
import type { Socket as Client } from 'socket.io-client';
import { expect, it, vi } from 'vitest';
import { shareRedis } from '../test/shared-redis.ts';
import { type Mailbox, type MailboxOptions, RedisAway, createAdapter } from './create-adapter.js';

const { server, redis, ends, serve, enter } = await shareRedis();

const base = '{test:0}:';
const up = (adapter: Mailbox) => vi.waitUntil(() => adapter.health.up, 5000);

async function start(options: MailboxOptions = {}) {
  const adapter = createAdapter(redis, { prefix: 'test', recoverySeconds: 60, ...options });
  const faults: Error[] = [];
  const refusals: string[] = [];
  adapter.on('fault', (fault) => faults.push(fault));
  adapter.on('unrecovered', (why) => refusals.push(why));
  const served = await serve(adapter, {
    connectionStateRecovery: { maxDisconnectionDuration: 60_000 },
  });
  return { adapter, ...served, faults, refusals };
}

async function lose(socket: Client, io: Server) {
  socket.io.reconnection(false);
  socket.io.engine.close();
  await vi.waitUntil(() => io.of('/').sockets.size === 0);
}

async function comeBack(socket: Client, url: string) {
  Object.assign(socket.io, { uri: url });
  socket.connect();
  await vi.waitUntil(() => socket.connected);
  return socket.recovered;
}

it('goes on under another name when it was taken for dead, and tells its sessions', async () => {
  const { adapter, io, url } = await start({ leaseMs: 300 });
  const { socket, said } = await enter(url);
  const before = adapter.nodeId;
  await redis.multi().zrem(`${base}nodes`, before).unlink(`${base}m:${before}`).exec();
  await vi.waitUntil(() => adapter.nodeId !== before && adapter.health.up, 5000);
  await vi.waitUntil(() => said.length === 2);
  expect(socket.recovered).toBe(false);
  io.emit('news', 1);
  await vi.waitUntil(() => said.length === 3);
});

it('tells its sessions when something was trimmed away that it had not read', async () => {
  const { adapter, url } = await start({ leaseMs: 300 });
  const { socket, said } = await enter(url);
  const before = adapter.nodeId;
  const mailbox = `${base}m:${before}`;
  // As a renewal does it to a mailbox that is too large: nothing of this has been read.
  const id = '99999999999999-0';
  await redis
    .multi()
    .xadd(mailbox, id, '1', 'news')
    .xtrim(mailbox, 'MAXLEN', 0)
    .hset(`${base}trimmed`, before, id)
    .exec();
  await vi.waitUntil(() => adapter.nodeId !== before && adapter.health.up, 5000);
  await vi.waitUntil(() => said.length === 2);
  expect(socket.recovered).toBe(false);
  await adapter.publish('/', ['news', 1], { rooms: ['room'] });
  await vi.waitUntil(() => said.length === 3);
});

it('lets go of what nobody can come back for, and looks at nothing else of its mailbox', async () => {
  const { adapter } = await start({ leaseMs: 300 });
  const mailbox = `${base}m:${adapter.nodeId}`;
  await redis.config('RESETSTAT');
  const calls = async (command: string) =>
    Number(
      new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await redis.info('commandstats'))?.[1] ??
        0,
    );
  await vi.waitUntil(async () => (await calls('evalsha')) >= 3);
  // Backwards from a place before all entries Redis would go through them all, with everyone waiting.
  expect(await calls('xrevrange')).toBe(0);

  const [old, later] = [3_600_000, 3_500_000].map((ago) => `${Date.now() - ago}-0`);
  await redis
    .multi()
    .del(mailbox)
    .xadd(mailbox, old!, '1', '')
    .xadd(mailbox, later!, '1', '')
    .exec();
  await vi.waitUntil(async () => (await redis.hget(`${base}trimmed`, adapter.nodeId)) === later);
  expect(await redis.xlen(mailbox)).toBe(0);
});

it('waits for no marker that was trimmed away when it has read a later one', async () => {
  const { adapter } = await start();
  const mailbox = `${base}m:${adapter.nodeId}`;
  await adapter.caughtUp();
  await redis.rename(mailbox, 'aside');
  const first = adapter.caughtUp();
  await new Promise((resolve) => setImmediate(resolve));
  // Behind the marker, which was not written anywhere then.
  await adapter.publish('/', ['news'], { rooms: ['nobody'] });
  await redis.rename('aside', mailbox);
  await adapter.caughtUp();
  await first;
});

it('leaves nothing of a dead node and its sessions behind, once the window is over', async () => {
  const options = { recoverySeconds: 1, leaseMs: 300 };
  const [dead, survivor] = [await start(options), await start(options)];
  await enter(dead.url);
  const { nodeId } = dead.adapter;
  await dead.adapter.close();
  await vi.waitUntil(
    async () => {
      const keys = await redis.keys(`${base}*`);
      const kinds = keys.map((key) => key.slice(base.length, base.length + 2));
      return (
        !keys.some((key) => key.includes(nodeId)) && !kinds.includes('p:') && !kinds.includes('r:')
      );
    },
    { timeout: 8000, interval: 50 },
  );
  expect(await redis.smembers(`${base}a:/`)).toEqual([survivor.adapter.nodeId]);
});

it('refuses to run beside a format that it does not know, and touches nothing of it', async () => {
  await redis.set(`${base}format`, '2');
  const adapter = createAdapter(redis, { prefix: 'test' });
  ends.push(() => adapter.close());
  await vi.waitUntil(() => adapter.health.reason?.startsWith('FORMAT'));
  await expect(adapter.publish('/', ['news'])).rejects.toThrow(RedisAway);
  // As a node does that is told anew on every try.
  await adapter.settled();
  expect(await adapter.claim('/', 'somebody')).toBeUndefined();
  expect(await redis.keys('*')).toEqual([`${base}format`]);
  expect(await redis.get(`${base}format`)).toBe('2');
});

it('goes on when the other format is gone', async () => {
  await redis.set(`${base}format`, '2');
  const adapter = createAdapter(redis, { prefix: 'test' });
  ends.push(() => adapter.close());
  await vi.waitUntil(() => adapter.health.reason?.startsWith('FORMAT'));
  await redis.del(`${base}format`);
  await vi.waitUntil(() => adapter.health.up, 5000);
});

it('says that an entry of another format was not delivered, and goes on', async () => {
  const { adapter, io, url, faults } = await start();
  const { said } = await enter(url);
  await redis.xadd(`${base}m:${adapter.nodeId}`, '*', '2', 'what is this');
  await redis.xadd(`${base}m:${adapter.nodeId}`, '*', '1', 'nor this');
  io.emit('news', 1);
  await vi.waitUntil(() => said.length === 2);
  expect(faults).toHaveLength(2);
});

it('keeps a mailbox within its bytes, and tells who comes back too late for it', async () => {
  const options = { mailboxBytes: 200_000, leaseMs: 300 };
  const [a, b] = [await start(options), await start(options)];
  const { socket } = await enter(a.url);
  await lose(socket, a.io);
  for (let number = 0; number < 100; number++)
    await b.adapter.publish('/', ['news', 'x'.repeat(10_000)], { rooms: ['room'] });
  const mailbox = `${base}m:${a.adapter.nodeId}`;
  await vi.waitUntil(async () => Number(await redis.memory('USAGE', mailbox)) < 250_000, 5000);
  expect(await comeBack(socket, b.url)).toBe(false);
  expect(b.refusals).toEqual(['trimmed']);
});

it('lets a session that was quiet for longer than entries are kept come back', async () => {
  const [a, b] = [await start(), await start()];
  const { socket, said } = await enter(a.url);
  // As the clock would do it: all is trimmed away that it has proven to have received.
  const mailbox = `${base}m:${a.adapter.nodeId}`;
  await b.adapter.publish('/', ['other'], { rooms: [(await enter(a.url)).socket.id!] });
  const last = (await redis.xrevrange(mailbox, '+', '-', 'COUNT', 1))[0]![0];
  await redis.hset(`${base}trimmed`, a.adapter.nodeId, `${Number.parseInt(last, 10) - 60_000}-0`);
  socket.io.engine.close();
  Object.assign(socket.io, { uri: b.url });
  await vi.waitUntil(() => socket.connected && socket.recovered);
  await b.adapter.publish('/', ['news'], { rooms: ['room'] });
  await vi.waitUntil(() => said.some(([name]) => name === 'news'));
});

it('is not executed by Redis when its time is over', async () => {
  const [a, b] = [await start({ timeoutMs: 300 }), await start({ timeoutMs: 300 })];
  const [here, there] = [await enter(a.url), await enter(b.url)];
  server.pause();
  const refusal = await a.adapter
    .publish('/', ['late'], { rooms: ['room'] })
    .then(() => undefined)
    .catch((error: RedisAway) => error);
  expect(refusal?.outcome).toBe('timeout');
  a.adapter.deliverLocally('/', ['late'], { rooms: ['room'] }, refusal);
  server.resume();
  await up(a.adapter);
  await up(b.adapter);
  await a.adapter.publish('/', ['last'], { rooms: ['room'] });
  const names = ({ said }: { said: unknown[][] }) => said.map(([name]) => name);
  for (const one of [here, there])
    await vi.waitUntil(() => one.said.some(([name]) => name === 'last'));
  expect(names(here)).toEqual(['hello', 'late', 'last']);
  expect(names(there)).toEqual(['hello', 'last']);
});

it('reaches sessions that were told to join a room, with all that is said after', async () => {
  const [a, b] = [await start(), await start()];
  const { said } = await enter(b.url);
  a.io.in('room').socketsJoin('new');
  a.io.to('new').emit('news', 1);
  await vi.waitUntil(() => said.length === 2);
  a.io.in('new').socketsLeave('new');
  await vi.waitUntil(async () => (await redis.exists(`${base}r:/,new`)) === 0);
});

it('needs nothing of a room that nobody has joined after all', async () => {
  const [a, b] = [await start(), await start()];
  await enter(b.url);
  a.io.in('room').except('room').socketsJoin('nobody');
  await a.adapter.publish('/', ['news'], { rooms: ['room'] });
  await vi.waitUntil(async () => (await redis.exists(`${base}r:/,nobody`)) === 0);
});

it('connects again with clients that have given up', async () => {
  const clients: Redis[] = [];
  const make = () => {
    const client = new Redis(server.url, { retryStrategy: null });
    clients.push(client);
    return client;
  };
  const adapter = createAdapter(make, { prefix: 'test' });
  ends.push(() => adapter.close());
  await up(adapter);
  await server.kill();
  await vi.waitUntil(() => clients.every(({ status }) => status === 'end'), { interval: 1 });
  await server.restart();
  await up(adapter);
});
