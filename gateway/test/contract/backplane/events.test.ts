import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type TestRedis, startRedis } from '../../redis.js';
import { type Kind, type TestClient, type TestNode, event, lastOffset, startNode } from './node.js';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

describe.each<Kind>(['memory', 'mailbox', 'streams', 'pubsub'])('events over %s', (kind) => {
  let nodes: TestNode[];
  let a: TestNode;
  let b: TestNode;
  beforeAll(async () => {
    const start = () => startNode({ kind, url: redis.url, prefix: 'events' });
    // A single node is its own neighbour.
    nodes = kind === 'memory' ? [await start()] : await Promise.all([start(), start()]);
    [a, b = a] = nodes as [TestNode, TestNode?];
  });
  afterAll(() => Promise.all(nodes.map((node) => node.close())));

  /** Without the offset that backplanes which recover put behind the arguments. */
  const argsOf = (got: unknown[]) => (a.backplane.recovers ? got.slice(1, -1) : got.slice(1));

  test('reach the room on every node, once, also through two rooms', async () => {
    const here = await a.client('u1', ['red', 'blue']);
    const there = await b.client('u2', ['red', 'blue']);
    const outside = await b.client('u3', ['green']);
    await a.backplane.publish(event(['red', 'blue'], [1]));
    await a.backplane.publish(event('*', [2]));
    for (const { got } of [here, there]) {
      await vi.waitUntil(() => got.length === 2);
      expect(got.map(argsOf)).toEqual([[1], [2]]);
    }
    await vi.waitUntil(() => outside.got.length === 1);
    expect(outside.got.map(argsOf)).toEqual([[2]]);
  });

  test('leave out rooms and a session', async () => {
    const sender = await a.client('u1', ['except']);
    const second = await b.client('u1', ['except']);
    const muted = await b.client('u2', ['except', 'muted']);
    const other = await b.client('u3', ['except']);
    const { id } = sender.session;
    await a.backplane.publish(event(['except'], [1], { except: ['muted'], exceptSessions: [id] }));
    await a.backplane.publish(event(['except'], [2]));
    for (const { got } of [sender, second, muted, other])
      await vi.waitUntil(() => got.map(argsOf).flat().includes(2));
    expect(sender.got.map(argsOf)).toEqual([[2]]);
    expect(second.got.map(argsOf)).toEqual([[1], [2]]);
    expect(muted.got.map(argsOf)).toEqual([[2]]);
    expect(other.got.map(argsOf)).toEqual([[1], [2]]);
  });

  test('of one writer arrive in the order written', async () => {
    const clients = [await a.client('u1', ['order']), await b.client('u2', ['order'])];
    const numbers = Array.from({ length: 200 }, (_, index) => index);
    await Promise.all(
      numbers.flatMap((number) => [
        a.backplane.publish(event(['order'], ['a', number])),
        b.backplane.publish(event(['order'], ['b', number])),
      ]),
    );
    for (const { got } of clients) {
      await vi.waitUntil(() => got.length === 400, 5000);
      for (const writer of ['a', 'b'])
        expect(got.filter(([, from]) => from === writer).map(([, , number]) => number)).toEqual(
          numbers,
        );
    }
    // What stands in a stream is read in one order by all.
    const [here, there] = clients;
    const said = (client?: TestClient) => client?.got.map((args) => args.slice(0, 3));
    if (kind !== 'pubsub') expect(said(here)).toEqual(said(there));
  });

  test('arrive as they were sent', async () => {
    const client = await b.client('u1', ['exact']);
    const json = [
      [1e21, 2 ** 53, -0.1, 1e-7, 0, 4294967296, -2147483649],
      { deep: [{ null: null, yes: true, text: 'ü 🎉 \u2028 \0 \ud800' }], '': '' },
      JSON.parse('{"__proto__": {"polluted": 1}, "constructor": 2}') as unknown,
      [],
    ];
    await a.backplane.publish(event(['exact'], json));
    await a.backplane.publish(event(['exact'], [Buffer.from([0, 255, 1]), { number: 1e21 }]));
    await a.backplane.publish(event(['exact']));
    await vi.waitUntil(() => client.got.length === 3);
    const [first, second, third] = client.got.map(argsOf);
    expect(JSON.stringify(first)).toBe(JSON.stringify(json));
    expect(second).toEqual([Buffer.from([0, 255, 1]), { number: 1e21 }]);
    expect(third).toEqual([]);
  });

  test('that are not recovered never change the offset for a text of their own', async () => {
    const client = await b.client('u1', ['volatile']);
    const known = lastOffset(client.socket);
    await a.backplane.publish(event(['volatile'], ['text'], { volatile: true }));
    // One at a time: a volatile event is dropped while the one before is being written.
    await vi.waitUntil(() => client.got.length === 1);
    await a.backplane.publish(event(['volatile'], [], { volatile: true }));
    await vi.waitUntil(() => client.got.length === 2);
    b.backplane.deliverLocally(event(['volatile'], ['text']));
    await vi.waitUntil(() => client.got.length === 3);
    expect(client.got.map(([name]) => name)).toEqual(['said', 'said', 'said']);
    if (!a.backplane.recovers) expect(lastOffset(client.socket)).toBeUndefined();
    else {
      expect(lastOffset(client.socket)).not.toMatch(/text|said/);
      expect(lastOffset(client.socket)!.split('-')).toHaveLength(known!.split('-').length);
    }
  });

  test('delivered locally stay on the node', async () => {
    const here = await a.client('u1', ['local']);
    const there = await b.client('u2', ['local']);
    a.backplane.deliverLocally(event(['local'], [1]));
    await a.backplane.publish(event(['local'], [2]));
    await vi.waitUntil(() => here.got.length === 2 && there.got.length > 0);
    expect(there.got.map((got) => got[1])).toEqual(a === b ? [1, 2] : [2]);
  });

  test('sessions join and leave, and whole users on every node', async () => {
    const here = await a.client('mover');
    const there = await b.client('mover');
    const other = await b.client('other');
    await a.backplane.join(here.session, ['own']);
    expect(a.backplane.hasLocal('/', 'own')).toBe(true);
    expect(b.backplane.hasLocal('/', 'own')).toBe(a === b);
    await a.backplane.publish(event(['own'], [1]));
    const move = { namespace: '/', users: ['mover'], room: 'theirs' } as const;
    await a.backplane.relocate({ ...move, action: 'join' });
    await a.backplane.publish(event(['theirs'], [2]));
    for (const { got } of [here, there]) await vi.waitUntil(() => got.some((it) => it[1] === 2));
    await a.backplane.relocate({ ...move, action: 'leave' });
    await a.backplane.leave(here.session, ['own']);
    await a.backplane.publish(event(['theirs', 'own'], [3]));
    await a.backplane.publish(event('*', [4]));
    for (const { got } of [here, there, other])
      await vi.waitUntil(() => got.some((it) => it[1] === 4));
    expect(here.got.map((it) => it[1])).toEqual([1, 2, 4]);
    expect(there.got.map((it) => it[1])).toEqual([2, 4]);
    expect(other.got.map((it) => it[1])).toEqual([4]);
  });

  test('to a namespace that does not exist are refused', async () => {
    await expect(a.backplane.publish(event('*', [], { namespace: '/none' }))).rejects.toMatchObject(
      { code: 'unknown_namespace' },
    );
  });

  test('do not meet those of another prefix', async () => {
    if (kind === 'memory') return;
    const stranger = await startNode({ kind, url: redis.url, prefix: 'events2' });
    try {
      const outside = await stranger.client('u1', ['shared']);
      const inside = await b.client('u1', ['shared']);
      await a.backplane.publish(event(['shared'], [1]));
      await stranger.backplane.publish(event(['shared'], [2]));
      await vi.waitUntil(() => inside.got.length > 0 && outside.got.length > 0);
      expect(inside.got.map((it) => it[1])).toEqual([1]);
      expect(outside.got.map((it) => it[1])).toEqual([2]);
      await stranger.backplane.registry.connect(
        '/',
        { id: 's', user: { id: 'u', username: 'u', roles: [] }, connectedAt: 0 },
        1,
      );
      expect(await a.backplane.registry.areOnline('/', ['u'])).toEqual([false]);
    } finally {
      await stranger.close();
    }
  });
});
