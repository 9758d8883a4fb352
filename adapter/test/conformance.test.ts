import { crc32 } from 'node:zlib';
import type { Socket } from 'socket.io';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type TestRedis, startRedis } from '../../gateway/test/redis.ts';
import { type Kind, recovers } from './candidates.ts';
import { Client, type ClientOptions, Node } from './cluster.ts';
import { type TestCluster, startCluster } from './redis-cluster.ts';

/**
 * What Socket.IO expects of an adapter, as the tests of its own adapters do and a little more: the
 * same tests over its memory, its two Redis adapters, and ours.
 */

let redis: TestRedis[];
let redisCluster: TestCluster;
beforeAll(async () => {
  const starts = [1, 2, 3].map(() => startRedis({ args: ['--appendonly', 'no'] }));
  [redisCluster, ...redis] = await Promise.all([startCluster(), ...starts]);
});
afterAll(() => Promise.all([redisCluster, ...redis].map((each) => each.stop())));

const clusters: [Kind, number, string, number][] = [
  ['memory', 1, 'no Redis', 1],
  ['streams', 2, 'one Redis', 1],
  ['streams', 3, 'one Redis', 1],
  ['pubsub', 2, 'one Redis', 1],
  ['pubsub', 3, 'one Redis', 1],
  ['mailbox', 2, 'one Redis', 1],
  ['mailbox', 3, 'one Redis', 1],
  ['mailbox', 2, 'two Redis', 2],
  ['mailbox', 3, 'three Redis', 3],
  ['mailbox', 3, 'a Redis Cluster', 4],
];

/** Names of rooms of `/other`, one in each shard. */
function roomsOf(shards: number): string[] {
  return Array.from({ length: shards }, (_, shard) => {
    for (let number = 0; ; number++)
      if (crc32(`r:/other,room${number}`) % shards === shard) return `room${number}`;
  });
}

describe.each(clusters)('%s with %i servers on %s, shards: %i', (kind, count, where, shards) => {
  let nodes: Node[];
  /** On three servers as far as there are so many; the first is always on the first. */
  let clients: [Client, Client, Client];
  let extra: Client[];
  /** One on each server, with a room in each shard: they see how far a server has read. */
  let witnesses: Client[] = [];

  const node = (index: number) => nodes[index % count]!;
  const others = () => (count === 1 ? [] : nodes.slice(1));
  /** For what an adapter is known to do wrong: there the test is to fail. */
  const wrongOn = (...kinds: Kind[]) => (kinds.includes(kind) ? test.fails : test);

  beforeAll(async () => {
    const urls = redis.slice(0, shards).map(({ url }) => url);
    const cluster = where === 'a Redis Cluster';
    const options = {
      ...(cluster ? { url: redisCluster.url, cluster } : { url: urls[0], urls }),
      prefix: `conformance-${kind}-${count}-${shards}`,
      shards,
    };
    nodes = await Promise.all(
      Array.from({ length: count }, () => Node.start(kind, options, { transports: ['websocket'] })),
    );
    if (shards > 1)
      witnesses = await Promise.all(
        nodes.map((each) => Client.connect(each, { namespace: '/other', rooms: roomsOf(shards) })),
      );
  });
  afterAll(async () => {
    for (const witness of witnesses) witness.close();
    await Promise.all(nodes.map((each) => each.close()));
  });
  beforeEach(async () => {
    extra = [];
    const [a, b, c] = await Promise.all([0, 1, 2].map((index) => Client.connect(node(index))));
    clients = [a!, b!, c!];
  });
  afterEach(async () => {
    for (const client of [...clients, ...extra]) client.close();
    await vi.waitUntil(() => nodes.every(({ io }) => io.of('/').sockets.size === 0));
  });

  async function connect(index: number, options?: ClientOptions): Promise<Client> {
    const client = await Client.connect(node(index), options);
    extra.push(client);
    return client;
  }

  /** Resolves when what that server emitted before has come wherever it comes. */
  async function settle(from = 0, among: Client[] = clients): Promise<void> {
    // One order holds within a shard only: so each is asked for itself.
    if (shards > 1) {
      const rooms = roomsOf(shards);
      const each = rooms.map(() => nextMarker());
      for (const [index, marker] of each.entries())
        node(from).io.of('/other').to(rooms[index]!).emit('settle', { marker });
      await vi.waitUntil(() => each.every((marker) => hasCome(marker, witnesses)), 5000);
    }
    const marker = nextMarker();
    node(from).io.emit('settle', { marker });
    node(from).io.of('/other').emit('settle', { marker });
    await vi.waitUntil(() => hasCome(marker, among), 5000);
  }
  let markers = 0;
  const nextMarker = () => String(++markers);
  const hasCome = (marker: string, among: Client[]) =>
    among.every(({ got }) => got.some((args) => isMarker(args) && markerOf(args) === marker));
  const markerOf = (args: unknown[]) => (args[1] as { marker: string }).marker;
  const isMarker = (args: unknown[]) => args[0] === 'settle';
  const heard = (client: Client) => client.got.filter((args) => !isMarker(args));
  /** Events to different rooms, which may lie in different shards: no order holds between those. */
  const inOrder = (events: unknown[][]) =>
    shards === 1 ? events : events.toSorted((a, b) => Number(a[1]) - Number(b[1]));

  describe('broadcasts', () => {
    test('to everyone', async () => {
      node(0).io.emit('news', 1, '2', { a: [3] }, null);
      await settle();
      for (const client of clients)
        expect(heard(client)).toEqual([['news', 1, '2', { a: [3] }, null]]);
    });

    test('to everyone just connected', async () => {
      for (let round = 0; round < 10; round++) {
        const client = await connect(round);
        node(round + 1).io.emit('hello', round);
        await vi.waitUntil(() => client.said.includes(round));
      }
    });

    test('from every server', async () => {
      for (const [index] of nodes.entries()) {
        node(index).io.emit('news', index);
        await settle(index);
      }
      for (const client of clients)
        expect(heard(client)).toEqual(nodes.map((_, index) => ['news', index]));
    });

    test('to a namespace', async () => {
      const there = await Promise.all(
        [0, 1, 2].map((index) => connect(index, { namespace: '/other' })),
      );
      node(0).io.of('/other').emit('news', 1);
      await settle(0, [...clients, ...there]);
      for (const client of there) expect(heard(client)).toEqual([['news', 1]]);
      for (const client of clients) expect(heard(client)).toEqual([]);
    });

    test('to a room', async () => {
      await clients[1].join('room');
      node(0).io.to('room').emit('news', 1);
      await settle();
      expect(clients.map(heard)).toEqual([[], [['news', 1]], []]);
    });

    test('to several rooms, once each', async () => {
      await clients[0].join('a', 'b');
      await clients[1].join('b', 'c');
      node(0).io.to(['a', 'b']).to('c').emit('news', 1);
      await settle();
      expect(clients.map(heard)).toEqual([[['news', 1]], [['news', 1]], []]);
    });

    test('except to rooms', async () => {
      await clients[1].join('out');
      await clients[2].join('room', 'out');
      await clients[0].join('room');
      node(0).io.except('out').emit('news', 1);
      node(0).io.to('room').except('out').emit('news', 2);
      await settle();
      expect(clients.map((client) => inOrder(heard(client)))).toEqual([
        [
          ['news', 1],
          ['news', 2],
        ],
        [],
        [],
      ]);
    });

    test('to nobody in a room that was left', async () => {
      await clients[1].join('room');
      await clients[2].join('room');
      await clients[1].leave('room');
      node(0).io.to('room').emit('news', 1);
      await settle();
      expect(clients.map(heard)).toEqual([[], [], [['news', 1]]]);
    });

    test('to one socket by its id', async () => {
      node(0).io.to(clients[1].id).emit('news', 1);
      node(0).io.to(clients[0].id).emit('news', 2);
      await settle();
      expect(clients.map(heard)).toEqual([[['news', 2]], [['news', 1]], []]);
    });

    test('from a socket to everyone else', async () => {
      await Promise.all(clients.map((client) => client.join('room')));
      const socket = clients[0].on(node(0));
      socket.broadcast.emit('news', 1);
      socket.to('room').emit('news', 2);
      await settle();
      expect(heard(clients[0])).toEqual([]);
      for (const client of clients.slice(1))
        expect(inOrder(heard(client))).toEqual([
          ['news', 1],
          ['news', 2],
        ]);
    });

    test('to this server only', async () => {
      node(0).io.local.emit('news', 1);
      await settle();
      const here = clients.map((_, index) => node(index) === node(0));
      expect(clients.map((client) => heard(client).length === 1)).toEqual(here);
    });

    test('volatile events', async () => {
      node(0).io.volatile.emit('news', 1);
      await settle();
      for (const client of clients) expect(heard(client)).toEqual([['news', 1]]);
    });

    test('without compression', async () => {
      node(0).io.compress(false).emit('news', 1);
      await settle();
      for (const client of clients) expect(heard(client)).toEqual([['news', 1]]);
    });

    test('binary', async () => {
      const bytes = Buffer.from([0, 1, 255]);
      node(0).io.emit('news', bytes, { deep: [bytes, 1] }, Buffer.alloc(0), 4);
      node(0).io.emit('after');
      await settle();
      for (const client of clients)
        expect(heard(client)).toEqual([
          ['news', bytes, { deep: [bytes, 1] }, Buffer.alloc(0), 4],
          ['after'],
        ]);
    });

    const values = [
      0,
      -1,
      1.5,
      2 ** 40,
      true,
      null,
      '',
      'ä€😀\u2028"\\\u0000',
      [],
      {},
      { a: { b: [null] } },
    ];
    test('what was sent, unchanged', async () => {
      node(0).io.emit('news', values, 0);
      await settle();
      for (const client of clients) expect(heard(client)).toEqual([['news', values, 0]]);
    });

    // The serialisation of stock pub/sub changes them (1e21 arrives as 3875820019684212700).
    wrongOn('pubsub')('numbers beyond 64 bits', async () => {
      node(0).io.emit('news', 1e21, -1e300, 0);
      await settle();
      for (const client of clients) expect(heard(client)).toEqual([['news', 1e21, -1e300, 0]]);
    });

    test('large events', async () => {
      const text = 'x'.repeat(300_000);
      node(0).io.emit('news', text, 0);
      await settle();
      for (const client of clients) expect(heard(client)).toEqual([['news', text, 0]]);
    });

    test('many at once, in order', async () => {
      await Promise.all(clients.map((client) => client.join('room')));
      for (let number = 0; number < 500; number++) node(1).io.to('room').emit('news', number);
      await settle(1);
      const numbers = Array.from({ length: 500 }, (_, number) => number);
      for (const client of clients) expect(heard(client).map((args) => args[1])).toEqual(numbers);
    });

    // Delivered at the answer of the write here, and when it is read there.
    wrongOn('streams', 'pubsub')('of several servers in one order for all', async () => {
      await Promise.all(clients.map((client) => client.join('room')));
      for (let number = 0; number < 300; number++) {
        for (const [index, { io }] of nodes.entries())
          for (let burst = 0; burst < 3; burst++)
            io.to('room').emit('news', index * 10_000 + number * 3 + burst);
        await new Promise(setImmediate);
      }
      await vi.waitUntil(() => clients.every(({ got }) => got.length === 900 * count), 10_000);
      expect(clients[1].said).toEqual(clients[0].said);
      expect(clients[2].said).toEqual(clients[0].said);
    });
  });

  describe('broadcasts with acknowledgement', () => {
    test('of everyone', async () => {
      for (const [index, client] of clients.entries())
        client.socket.on('question', (done: (answer: number) => void) => done(index));
      const answers = await node(0).io.timeout(3000).emitWithAck('question');
      expect((answers as number[]).sort()).toEqual([0, 1, 2]);
    });

    test('binary both ways', async () => {
      for (const [index, client] of clients.entries())
        client.socket.on('question', (bytes: Buffer, done: (answer: Buffer) => void) =>
          done(Buffer.from([...bytes, index])),
        );
      const answers = (await node(0)
        .io.timeout(3000)
        .emitWithAck('question', Buffer.from([9]))) as Buffer[];
      expect(answers.map((bytes) => [...bytes]).sort()).toEqual([
        [9, 0],
        [9, 1],
        [9, 2],
      ]);
    });

    test('of nobody', async () => {
      expect(await node(0).io.to('nowhere').timeout(500).emitWithAck('question')).toEqual([]);
    });

    test('of one socket elsewhere', async () => {
      clients[1].socket.on('question', (done: (answer: string) => void) => done('yes'));
      const [remote] = await node(0).io.in(clients[1].id).fetchSockets();
      expect(await remote!.timeout(3000).emitWithAck('question')).toBe('yes');
    });

    test('with those who answered in time', async () => {
      clients[0].socket.on('question', (done: (answer: number) => void) => done(0));
      clients[2].socket.on('question', (done: (answer: number) => void) => done(2));
      const answered = await new Promise<[Error | null, number[]]>((resolve) => {
        node(0)
          .io.timeout(400)
          .emit('question', (error: Error | null, answers: number[]) => resolve([error, answers]));
      });
      expect(answered[0]).toBeInstanceOf(Error);
      expect(answered[1].sort()).toEqual([0, 2]);
    });
  });

  describe('makes sockets', () => {
    const rooms = (client: Client) => {
      const at = nodes.find(({ io }) => io.of('/').sockets.has(client.id));
      return [...(at ? client.on(at).rooms : [])].filter((room) => room !== client.id).sort();
    };

    test('join', async () => {
      node(0).io.socketsJoin(['one', 'two']);
      await vi.waitUntil(() => clients.every((client) => rooms(client).length === 2));
      node(1).io.to('two').emit('news', 1);
      await settle(1);
      for (const client of clients) expect(heard(client)).toEqual([['news', 1]]);
    });

    test('join by room and exception', async () => {
      await Promise.all(clients.map((client) => client.join('in')));
      await clients[2].join('out');
      node(0).io.in('in').except('out').socketsJoin('new');
      await vi.waitUntil(
        () => rooms(clients[1]).includes('new') && rooms(clients[0]).includes('new'),
      );
      await settle();
      expect(rooms(clients[2])).toEqual(['in', 'out']);
    });

    test('join here only', async () => {
      node(0).io.local.socketsJoin('here');
      await settle();
      expect(clients.map((client) => rooms(client).includes('here'))).toEqual(
        clients.map((_, index) => node(index) === node(0)),
      );
    });

    test('leave', async () => {
      await Promise.all(clients.map((client) => client.join('a', 'b')));
      node(0).io.in('a').socketsLeave('a');
      await vi.waitUntil(() => clients.every((client) => !rooms(client).includes('a')));
      node(1).io.to('a').emit('news', 1);
      node(1).io.to('b').emit('news', 2);
      await settle(1);
      for (const client of clients) expect(heard(client)).toEqual([['news', 2]]);
    });

    test('disconnect', async () => {
      const reasons: string[] = [];
      for (const { socket } of clients) socket.on('disconnect', (reason) => reasons.push(reason));
      node(0).io.disconnectSockets(true);
      await vi.waitUntil(() => reasons.length === 3);
    });

    test('disconnect by room', async () => {
      await clients[1].join('out');
      node(0).io.in('out').disconnectSockets();
      await vi.waitUntil(() => clients[1].socket.disconnected);
      await settle(0, [clients[0], clients[2]]);
      expect(clients.map(({ socket }) => socket.connected)).toEqual([true, false, true]);
    });
  });

  describe('finds sockets', () => {
    const ids = (sockets: { id: string }[]) => sockets.map(({ id }) => id).sort();
    const idsOf = (...indexes: number[]) => indexes.map((index) => clients[index]!.id).sort();

    test('everywhere', async () => {
      expect(ids(await node(0).io.fetchSockets())).toEqual(idsOf(0, 1, 2));
      expect(ids(await node(1).io.fetchSockets())).toEqual(idsOf(0, 1, 2));
    });

    test('by room and exception', async () => {
      await clients[1].join('in');
      await clients[2].join('in', 'out');
      expect(ids(await node(0).io.in('in').fetchSockets())).toEqual(idsOf(1, 2));
      expect(ids(await node(0).io.in('in').except('out').fetchSockets())).toEqual(idsOf(1));
      expect(ids(await node(0).io.in('nowhere').fetchSockets())).toEqual([]);
    });

    test('here only', async () => {
      const here = clients.flatMap((_, index) => (node(index) === node(0) ? [index] : []));
      expect(ids(await node(0).io.local.fetchSockets())).toEqual(idsOf(...here));
    });

    test('with their data, rooms and handshake', async () => {
      const client = await connect(1, { data: { role: 'admin' }, rooms: ['staff'] });
      const [found] = await node(0).io.in('staff').fetchSockets();
      expect(found!.id).toBe(client.id);
      expect(found!.data).toEqual({ role: 'admin' });
      expect([...found!.rooms].sort()).toEqual([client.id, 'staff'].sort());
      expect(found!.handshake.auth).toMatchObject({ rooms: ['staff'] });
    });

    test('and acts on them', async () => {
      const [found] = await node(0).io.in(clients[1].id).fetchSockets();
      found!.join('chosen');
      await vi.waitUntil(() => clients[1].on(node(1)).rooms.has('chosen'));
      found!.emit('news', 1);
      await settle();
      expect(clients.map(heard)).toEqual([[], [['news', 1]], []]);
      found!.disconnect(true);
      await vi.waitUntil(() => clients[1].socket.disconnected);
    });
  });

  // Socket.IO's memory has no other servers, and says so on the console.
  describe.skipIf(count === 1)('tells other servers', () => {
    afterEach(() => nodes.forEach(({ io }) => io.removeAllListeners('ask')));

    test('an event', async () => {
      const told: unknown[][] = [];
      for (const [index, { io }] of nodes.entries())
        io.on('ask', (...args: unknown[]) => told.push([index, ...args]));
      node(0).io.serverSideEmit('ask', 'a', 1, { b: [2] });
      await vi.waitUntil(() => told.length >= count - 1);
      await settle();
      expect(told.sort()).toEqual(others().map((_, index) => [index + 1, 'a', 1, { b: [2] }]));
    });

    // Stock pub/sub sends it as JSON.
    wrongOn('pubsub')('a binary event', async () => {
      const told: unknown[] = [];
      for (const { io } of nodes) io.on('ask', (bytes: unknown) => told.push(bytes));
      node(0).io.serverSideEmit('ask', Buffer.from([1]));
      await vi.waitUntil(() => told.length >= count - 1);
      expect(told).toEqual(others().map(() => Buffer.from([1])));
    });

    test('and has their answers', async () => {
      for (const [index, { io }] of nodes.entries())
        io.on('ask', (done: (answer: number) => void) => done(index));
      const answers = (await node(0).io.serverSideEmitWithAck('ask')) as number[];
      expect(answers.sort()).toEqual(others().map((_, index) => index + 1));
    });

    test('and has those in time', async () => {
      for (const [index, { io }] of nodes.entries())
        io.on('ask', (done: (answer: number) => void) => {
          if (index === 1) done(index);
        });
      const [error, answers] = await new Promise<[Error | null, number[]]>((resolve) => {
        node(0).io.serverSideEmit('ask', (...args: [Error | null, number[]]) => resolve(args));
      });
      expect(error === null).toBe(count === 2);
      expect(answers).toEqual([1]);
    });

    test('of which it knows the number', async () => {
      for (const { io } of nodes) expect(await io.of('/').adapter.serverCount()).toBe(count);
    });
  });

  describe.runIf(recovers(kind))('gives a lost session back', () => {
    // Its own server, or another one.
    const places = count === 1 ? [0] : [0, 1];

    test.each(places)('with its id, rooms and data, on server %i', async (place) => {
      const client = await connect(0, { rooms: ['room'], data: { a: 1 } });
      const { id } = client;
      await client.join('later');
      await client.lose(node(0));
      expect(await client.comeBack(node(place))).toBe(true);
      expect(client.id).toBe(id);
      const socket: Socket = client.on(node(place));
      expect(socket.recovered).toBe(true);
      expect(socket.data).toEqual({ a: 1 });
      expect([...socket.rooms].sort()).toEqual([id, 'later', 'room'].sort());
    });

    test.each(places)('and what it missed, in order, on server %i', async (place) => {
      const client = await connect(0, { rooms: ['room', 'out'] });
      const { id } = client;
      await node(0).publish(['room'], 'news', 1, 0);
      await vi.waitUntil(() => client.got.length === 1);
      await client.lose(node(0));
      node(0).io.to('room').emit('news', 2, 0);
      node(0).io.emit('news', 3, 0);
      node(0).io.to('elsewhere').emit('news', -1, 0);
      node(0).io.except('out').emit('news', -2, 0);
      node(0)
        .io.to(id)
        .emit('news', Buffer.from([4]), 0);
      await settle();
      expect(await client.comeBack(node(place))).toBe(true);
      node(place).io.to('room').emit('news', 5, 0);
      await vi.waitUntil(() => client.said.includes(5));
      const had = heard(client).map((args) => args[1]);
      const owed = [1, 2, 3, Buffer.from([4]), 5];
      if (shards === 1) expect(had).toEqual(owed);
      // One order holds within each of them only.
      else expect(new Set(had)).toEqual(new Set(owed));
      expect(had).toHaveLength(owed.length);
    });

    // Stock writes them to its history like all others.
    wrongOn('streams')('without what was volatile', async () => {
      const client = await connect(0, { rooms: ['room'] });
      await client.lose(node(0));
      node(0).io.volatile.to('room').emit('news', -1, 0);
      node(0).io.to('room').emit('news', 1, 0);
      await settle();
      expect(await client.comeBack(node(1))).toBe(true);
      node(0).io.to('room').emit('news', 2, 0);
      await vi.waitUntil(() => client.said.includes(2));
      expect(heard(client).map((args) => args[1])).toEqual([1, 2]);
    });

    test('twice in a row', async () => {
      const client = await connect(0, { rooms: ['room'] });
      for (let round = 0; round < 6; round++) {
        await client.lose(node(round % 2 === 0 ? 0 : 1));
        node(2).io.to('room').emit('news', round);
        await settle(2);
        expect(await client.comeBack(node(round % 2 === 0 ? 1 : 0))).toBe(true);
        await vi.waitUntil(() => client.said.includes(round));
      }
      expect(heard(client).map((args) => args[1])).toEqual([0, 1, 2, 3, 4, 5]);
    });

    test('only when it is known', async () => {
      const client = await connect(0);
      Object.assign(client.socket, { _pid: 'unknown' });
      await client.lose(node(0));
      expect(await client.comeBack(node(1))).toBe(false);
    });

    test.each(['', 'abc', '0-0', '1-1', '99999999999999-0', '-', '1e3-0', '..', 'a.1-1.1'])(
      'only from an offset that is known, not %j',
      async (offset) => {
        const client = await connect(0);
        await client.lose(node(0));
        Object.assign(client.socket, { _lastOffset: offset });
        expect(await client.comeBack(node(1))).toBe(false);
      },
    );

    test('not after it left on purpose', async () => {
      const client = await connect(0);
      const { _pid } = client.socket as unknown as { _pid: string };
      client.close();
      await settle();
      Object.assign(client.socket, { _pid });
      expect(await client.comeBack(node(1))).toBe(false);
    });
  });
});
