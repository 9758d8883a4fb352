import { crc32 } from 'node:zlib';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestRedis, startRedis } from '../../gateway/test/redis.ts';
import { scripts } from '../src/scripts.js';
import { until } from './candidates.ts';
import type { Client, Node } from './cluster.ts';
import { HeldReads } from './held-reads.ts';
import { createAdapter } from '@streamgate/adapter';
import { type TestCluster, startCluster } from './redis-cluster.ts';
import { Stage } from './stage.ts';

/** What is different where rooms lie on several Redis; the rest is proven in `conformance.test.ts`. */

/** Names of rooms of which the first lies in shard 0, the second in shard 1, and so on. */
function roomsOf(shards: number): string[] {
  return Array.from({ length: shards }, (_, shard) => {
    for (let number = 0; ; number++)
      if (crc32(`r:/,room${number}`) % shards === shard) return `room${number}`;
  });
}

describe('on three Redis', () => {
  let redis: TestRedis[];
  const [first, second, third] = roomsOf(3) as [string, string, string];

  beforeEach(async () => {
    redis = await Promise.all([1, 2, 3].map(() => startRedis({ args: ['--appendfsync', 'no'] })));
  });
  afterEach(() => Promise.all(redis.map((each) => each.stop())));

  const { start, connect } = new Stage('mailbox', () => ({
    urls: redis.map(({ url }) => url),
    prefix: 't',
  }));

  async function admin<T>(server: TestRedis, ask: (redis: Redis) => Promise<T>): Promise<T> {
    const client = new Redis(server.url);
    try {
      return await ask(client);
    } finally {
      client.disconnect();
    }
  }

  test('a session comes back with what it missed of every shard, also after its node was killed', async () => {
    const [a, b, c] = [await start(), await start(), await start()];
    const client = await connect(a, { rooms: [first, second, third] });
    await b.publish([second], 'news', 0, 0);
    await until(() => client.said.length === 1);
    await a.kill();
    await until(() => client.socket.disconnected);
    for (const [number, rooms] of [[first], [second], [third], [third, first], []].entries())
      await b.publish(rooms, 'news', number + 1, 0);
    expect(await client.comeBack(c)).toBe(true);
    await b.publish([first, second, third], 'news', 6, 0);
    await until(() => client.said.includes(6));
    expect(client.said.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(client.on(c).rooms).toEqual(new Set([client.id, first, second, third]));
  });

  test('a session that is cut off in the midst of what it missed misses nothing', async () => {
    const [a, b] = [await start(), await start()];
    const client = await connect(a, { rooms: [first, second, third] });
    await client.lose(a);
    for (let number = 0; number < 12; number++)
      await b.publish([[first, second, third][number % 3]!], 'news', number, 0);
    const pid = (client.socket as unknown as { _pid: string })._pid;
    const lost = await b.candidate.mailbox!.claim('/', pid);
    const missed = await b.candidate.mailbox!.missed('/', lost!, client.offset!, lost!.rooms);
    expect(missed).toHaveLength(12);
    // It has received five of them when that connection ends too.
    const had = missed!.slice(0, 5).map(([, number]) => number);
    Object.assign(client.socket, { _lastOffset: missed![4]!.at(-1) });
    expect(await client.comeBack(a)).toBe(true);
    await until(() => client.said.length === 7);
    expect([...had, ...client.said].toSorted((x, y) => Number(x) - Number(y))).toEqual(
      Array.from({ length: 12 }, (_, number) => number),
    );
  });

  test('one Redis away: its rooms are refused, the others go on, and all is well when it is back', async () => {
    const [a, b] = [await start(), await start()];
    const client = await connect(b, { rooms: [first, second, third] });
    await redis[1]!.kill();
    const { mailbox } = a.candidate;
    await until(() => !mailbox!.health.up && !b.candidate.mailbox!.health.up);
    expect(mailbox!.health.reason).toMatch(/^shard 1: /);
    expect(mailbox!.health.reason).not.toContain(String(redis[1]!.port));
    await expect(a.publish([second], 'news', -1, 0)).rejects.toThrow('Redis is away');
    await expect(a.publish([first, second], 'news', -1, 0)).rejects.toThrow('Redis is away');
    await a.publish([first], 'news', 1, 0);
    await a.publish([first, third], 'news', 2, 0);
    await until(() => client.said.length === 2);
    await redis[1]!.restart();
    await until(() => mailbox!.health.up && b.candidate.mailbox!.health.up);
    await a.publish([second], 'news', 3, 0);
    await a.publish([third, second, first], 'news', 4, 0);
    await until(() => client.said.includes(3) && client.said.includes(4));
    expect(client.said).toHaveLength(4);
  });

  test('sessions that are made to join rooms of other shards get all that is said there next', async () => {
    const [a, b] = [await start(), await start()];
    const client = await connect(b, { rooms: [first] });
    a.io.in(first).socketsJoin([second, third]);
    a.io.to(second).emit('news', 1, 0);
    a.io.to(third).emit('news', 2, 0);
    await until(() => client.said.length === 2);
    a.io.in(first).socketsLeave(third);
    a.io.to(third).emit('news', -1, 0);
    a.io.to(third).to(first).emit('news', 3, 0);
    await until(() => client.said.includes(3));
    expect(client.said.toSorted()).toEqual([1, 2, 3]);
    // The interest goes when the last has left.
    await until(() =>
      admin(redis[2]!, async (one) => (await one.exists(`{t:2}:r:/,${third}`)) === 0),
    );
  });

  test('what is said in a room waits for a join that is read late', async () => {
    const [a, b] = [await start(), await start()];
    const client = await connect(b, { rooms: [second, third] });
    const held = new HeldReads(b, redis[1]!.port);
    // The read that is open is not held yet.
    await a.publish([second], 'news', 0, 0);
    await until(() => client.said.length === 1);
    await a.candidate.mailbox!.joinAll('/', { rooms: [second] }, [first]);
    await a.publish([first], 'news', 1, 0);
    await until(() => held.waiting === 1);
    await a.publish([third], 'news', 2, 0);
    await until(() => client.said.length === 2);
    held.letAll();
    await until(() => client.said.length === 3);
    expect(client.said).toEqual([0, 2, 1]);
  });

  test('a session that moves while nodes are looked up for a message gets it nevertheless', async () => {
    const [a, b, c] = [await start(), await start(), await start({ timeoutMs: 10_000 })];
    const client = await connect(a, { rooms: [second] });
    await client.lose(a);
    // What that node writes to the first Redis is held up; the second is asked.
    const streams = c.candidate.connections
      .filter(({ options }) => options.port === redis[0]!.port)
      .map(({ stream }) => stream);
    for (const stream of streams) stream.cork();
    const waiting = () => Math.max(...streams.map(({ writableLength }) => writableLength));
    const published = c.publish([first, second], 'news', 1, 'x'.repeat(10_000), 0);
    await until(() => waiting() > 10_000);
    expect(await client.comeBack(b)).toBe(true);
    for (const stream of streams) stream.uncork();
    await published;
    await until(() => client.said.length === 1);
  });

  test('what is said while a session has arrived in some shards only comes to it', async () => {
    const [a, b, c] = [await start(), await start(), await start()];
    const client = await connect(a, { rooms: [second] });
    await client.lose(a);
    const go = holdArrival(b, redis[1]!.port);
    const returning = client.comeBack(b);
    for (const index of [0, 2])
      await until(() =>
        admin(redis[index]!, async (one) => (await one.get(`{t:${index}}:moves`)) === '1'),
      );
    // The node that it leaves has heard of it.
    await a.candidate.mailbox!.caughtUp();
    await a.candidate.mailbox!.settled();
    await c.publish([second], 'news', 1, 0);
    go();
    expect(await returning).toBe(true);
    await until(() => client.said.length === 1);
  });

  test('a node that is cleared away in one shard takes a new name in all', async () => {
    const a = await start();
    const { mailbox } = a.candidate;
    const client = await connect(a, { rooms: [first, second, third] });
    const before = mailbox!.nodeId;
    await admin(redis[2]!, (one) => one.zrem('{t:2}:nodes', before));
    await until(() => mailbox!.nodeId !== before && mailbox!.health.up);
    await until(() => client.socket.disconnected);
    expect(await client.comeBack(a)).toBe(false);
    for (const [number, room] of [first, second, third].entries())
      await a.publish([room], 'news', number, 0);
    await until(() => client.said.length === 3);
  });

  test('nodes that count other shards refuse to run beside', async () => {
    await start();
    const client = new Redis(redis[0]!.url);
    for (const shards of [1, 6]) {
      const other = createAdapter(client, { prefix: 't', shards });
      await until(
        () => other.health.reason?.includes('FORMAT 1 shard 0 of 3 is in Redis') === true,
      );
      await other.close();
    }
    client.disconnect();
  });

  test('a node that is given the Redis in another order refuses to run', async () => {
    await start();
    const turned = redis.map(({ url }) => new Redis(url)).toReversed();
    const other = createAdapter(turned, { prefix: 't' });
    await until(() => other.health.reason === 'shard 0: FORMAT another shard lies on this Redis');
    await other.close();
    for (const client of turned) client.disconnect();
  });

  test('a number of shards that cannot be is refused', () => {
    const client = new Redis({ lazyConnect: true });
    for (const shards of [0, 1.5, 17])
      expect(() => createAdapter(client, { shards })).toThrow(RangeError);
    expect(() => createAdapter([client, client], { shards: 1 })).toThrow(RangeError);
    expect(() => createAdapter([])).toThrow(RangeError);
  });
});

/** Keeps what tells one Redis that a session arrives until the function is called that it returns. */
function holdArrival(node: Node, port: number): () => void {
  let go = () => undefined as void;
  const released = new Promise<void>((resolve) => (go = resolve));
  for (const redis of node.candidate.connections) {
    if (redis.options.port !== port) continue;
    const send = redis.sendCommand.bind(redis);
    redis.sendCommand = async (command, ...more) => {
      if (command.args[0] === scripts.arrive.sha) await released;
      return send(command, ...more);
    };
  }
  return go;
}

/** A key whose slot (CRC-16) is 0. */
const SLOT_0 = '';
/** A failover takes seconds, and more on a busy machine. */
const LONG = { timeout: 60_000 };

describe('on a Redis Cluster', () => {
  let cluster: TestCluster;
  const rooms = roomsOf(4);

  beforeEach(async () => {
    cluster = await startCluster();
  });
  afterEach(() => cluster.stop());

  const stage = new Stage('mailbox', () => ({
    url: cluster.url,
    cluster: true,
    shards: 4,
    prefix: 't',
  }));
  const { start, connect } = stage;

  async function publishToEach(node: Node, client: Client): Promise<void> {
    const news = () => client.got.filter(([name]) => name === 'news').length;
    const before = news();
    for (const room of rooms) await node.publish([room], 'news', 1, 0);
    await node.publish(rooms, 'news', 1, 0);
    await until(() => news() === before + rooms.length + 1);
  }

  test('four shards lie on three masters', async () => {
    const masters = await Promise.all(rooms.map((_, shard) => cluster.masterOf(`{t:${shard}}:`)));
    expect(new Set(masters.map(({ port }) => port)).size).toBe(3);
  });

  test('goes on when a shard is moved to another master, and when that dies', LONG, async () => {
    const [a, b] = [await start(), await start()];
    const client = await connect(b, { rooms });
    await publishToEach(a, client);
    // Slot 0 is the first master's, which has a replica and at least one of the shards.
    const { port } = cluster.masters[0]!;
    const master = async () => (await cluster.masterOf(SLOT_0)).port;
    expect(await master()).toBe(port);
    const replica = new Redis(cluster.replica.url);
    await replica.cluster('FAILOVER');
    await until(async () => (await master()) === cluster.replica.port);
    replica.disconnect();
    await upAndPublish(a, b, client);
    await cluster.replica.kill();
    await until(async () => (await master()) === port, 15_000);
    await upAndPublish(a, b, client);
    expect(client.socket.connected).toBe(true);
  });

  test('comes back when all of it was away', LONG, async () => {
    const [a, b] = [await start(), await start()];
    const client = await connect(b, { rooms });
    const servers = [...cluster.masters, cluster.replica];
    await Promise.all(servers.map((server) => server.kill()));
    await until(() => stage.nodes.every((node) => !node.candidate.mailbox!.health.up));
    await Promise.all(servers.map((server) => server.restart()));
    await upAndPublish(a, b, client);
  });

  /** Before the nodes have noticed that a master is gone they are up still. */
  async function upAndPublish(a: Node, b: Node, client: Client): Promise<void> {
    const isReady = () =>
      a.publish(rooms, 'ready').then(
        () => a.candidate.mailbox!.health.up && b.candidate.mailbox!.health.up,
        () => false,
      );
    await until(isReady, 20_000);
    await publishToEach(a, client);
  }
});
