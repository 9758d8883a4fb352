import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { userRoom } from '@streamgate/protocol/rooms';
import type { NoticeBody } from '../../../src/backplane/notices.js';
import { type TestRedis, startRedis } from '../../redis.js';
import { layCable } from '../../cable.js';
import { type Kind, type TestNode, event, startNode } from './node.js';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const ring = (...users: string[]): NoticeBody => ({ kind: 'inbox', users });

/** What a node hears, in order: notices, tags and what its clients are sent. */
function listen({ backplane }: TestNode) {
  const heard: unknown[] = [];
  backplane.onNotice((namespace, to, body) => heard.push(['notice', namespace, to, body]));
  backplane.onTagged((namespace, to, tag) => heard.push(['tag', namespace, to, tag]));
  return heard;
}

describe.each<Kind>(['memory', 'mailbox', 'streams', 'pubsub'])('over %s', (kind) => {
  let nodes: TestNode[];
  let a: TestNode;
  let b: TestNode;
  beforeAll(async () => {
    const start = () => startNode({ kind, url: redis.url, prefix: 'notices' });
    nodes = kind === 'memory' ? [await start()] : await Promise.all([start(), start()]);
    [a, b = a] = nodes as [TestNode, TestNode?];
  });
  afterAll(() => Promise.all(nodes.map((node) => node.close())));

  test('a notice reaches every node with a session in a room, in order with events, and no client', async () => {
    const heard = nodes.map(listen);
    const here = await a.client('n1');
    const there = await b.client('n2');
    there.onWrite(() => heard.at(-1)!.push('write'));
    const to = [userRoom('n2'), userRoom('nobody')];
    await a.backplane.publish(event(to, [1]));
    await a.backplane.notify({ namespace: '/', to, body: ring('n2') });
    await a.backplane.publish(event('*', [2]));
    await vi.waitUntil(() => there.got.length === 2 && here.got.length === 1);
    expect(heard.at(-1)).toEqual(['write', ['notice', '/', to, ring('n2')], 'write']);
    if (kind !== 'memory') expect(heard[0]).toEqual([]);
    expect(there.got.map(([name, number]) => [name, number])).toEqual([
      ['said', 1],
      ['said', 2],
    ]);
  });

  test('a notice for all reaches every node once, also those without sessions', async () => {
    const heard = nodes.map(listen);
    await b.backplane.notify({ namespace: '/chat', to: 'nodes', body: ring('x') });
    await b.backplane.notify({ namespace: '/chat', to: 'nodes', body: ring('y') });
    for (const each of heard) {
      await vi.waitUntil(() => each.length === 2);
      expect(each).toEqual(['x', 'y'].map((user) => ['notice', '/chat', 'nodes', ring(user)]));
    }
  });

  test('nodes hear the tag of an event that they have handed over, and can tell it meanwhile', async () => {
    const heard = nodes.map(listen);
    const client = await b.client('t1');
    const tags: unknown[] = [];
    client.onWrite(() => tags.push(b.backplane.deliveringTag));
    const to = [userRoom('t1')];
    const publish = (args: unknown[], tag?: string) =>
      a.backplane.publish(event(to, args, tag === undefined ? {} : { tag }));
    await Promise.all([publish(['x']), publish([1], 'one'), publish([2], 'two'), publish([3])]);
    await vi.waitUntil(() => client.got.length === 4);
    expect(client.got.map(([, first]) => first)).toEqual(['x', 1, 2, 3]);
    expect(tags).toEqual([undefined, 'one', 'two', undefined]);
    expect(b.backplane.deliveringTag).toBeUndefined();
    expect(heard.at(-1)).toEqual([
      ['tag', '/', to, 'one'],
      ['tag', '/', to, 'two'],
    ]);
  });

  test('caught up means that what was accepted before has been handed over', async () => {
    const client = await b.client('c1', ['flood']);
    const sent = await Promise.all(
      Array.from({ length: 300 }, (_, index) => a.backplane.publish(event(['flood'], [index]))),
    );
    const heard: number[] = [];
    b.backplane.onTagged(() => heard.push(1));
    await a.backplane.publish(event(['flood'], ['last'], { tag: 'last' }));
    await Promise.all([b.backplane.caughtUp(), b.backplane.caughtUp()]);
    expect(heard).toEqual([1]);
    await vi.waitUntil(() => client.got.length === sent.length + 1);
  });
});

test.each<Kind>(['mailbox', 'streams', 'pubsub'])(
  'over %s nobody waits for a Redis that is away',
  async (kind) => {
    const cable = await layCable(redis.port);
    const node = await startNode({ kind, url: cable.url, prefix: 'away', timeoutMs: 200 });
    await vi.waitUntil(() => node.backplane.health().up, 5000);
    cable.hang();
    const hanging = node.backplane.caughtUp();
    await hanging;
    await vi.waitUntil(() => !node.backplane.health().up, 5000);
    await node.backplane.caughtUp();
    await expect(
      node.backplane.notify({ namespace: '/', to: 'nodes', body: ring('x') }),
    ).rejects.toMatchObject({ code: 'backplane_unavailable' });
    await node.close();
    await cable.close();
  },
);
