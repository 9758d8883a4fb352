import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type TestRedis, startRedis } from '../../redis.js';
import { type Kind, type NodeOptions, type TestNode, event, person, startNode } from './node.js';

/** What ended badly in the background; the process would have died of it. */
const unhandled: unknown[] = [];
const remember = (reason: unknown) => unhandled.push(reason);

let redis: TestRedis;
const nodes: TestNode[] = [];
beforeEach(async () => {
  redis = await startRedis();
  process.on('unhandledRejection', remember);
});
afterEach(async () => {
  redis.resume();
  await Promise.all(nodes.splice(0).map((node) => node.close()));
  await redis.stop();
  process.off('unhandledRejection', remember);
  expect(unhandled.splice(0)).toEqual([]);
});

const TIMEOUT_MS = 200;

async function start(kind: Kind, more: Partial<NodeOptions> = {}): Promise<TestNode> {
  const node = await startNode({ kind, url: redis.url, timeoutMs: TIMEOUT_MS, ...more });
  nodes.push(node);
  return node;
}

const up = (...which: TestNode[]) =>
  vi.waitUntil(() => which.every(({ backplane }) => backplane.health().up), 15_000);
const away = (...which: TestNode[]) =>
  vi.waitUntil(() => which.every(({ backplane }) => !backplane.health().up), 5000);
const unavailable = { code: 'backplane_unavailable' };

function connect({ backplane: { registry } }: TestNode, userId: string, id: string) {
  return registry.connect('/', { id, user: person(userId), connectedAt: Date.now() }, 100);
}

/** How long it takes, in milliseconds, until it is settled. */
async function duration(act: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await act().then(
    () => undefined,
    () => undefined,
  );
  return performance.now() - begun;
}

describe.each<Kind>(['mailbox', 'streams', 'pubsub'])('without Redis, %s', (kind) => {
  test('refuses at once, delivers locally, remembers, and resumes by itself', async () => {
    const [a, b] = [await start(kind), await start(kind)];
    const client = await a.client('u1', ['room']);
    const other = await b.client('u2', ['room']);
    await connect(a, 'stays', 's1');
    await connect(a, 'goes', 's2');
    const changes: boolean[] = [];
    a.backplane.onHealthChange((health) => changes.push(health.up));

    await redis.kill();
    await away(a, b);
    const { reason, since } = a.backplane.health();
    expect(reason).toMatch(/^[A-Z]+$|^connection lost$|^not connected$/);
    expect(since).toBeGreaterThan(Date.now() - 5000);
    const { registry } = a.backplane;
    const relocation = { namespace: '/', action: 'join', users: ['u1'], room: 'x' } as const;
    for (const refused of [
      () => a.backplane.publish(event(['room'], [0])),
      () => a.backplane.relocate(relocation),
      () => registry.list('/', 10),
      () => registry.count('/'),
      () => registry.areOnline('/', ['u']),
      () => registry.hold('/', ['u'], 'x'),
    ]) {
      expect(await duration(refused)).toBeLessThan(50);
      await expect(refused()).rejects.toMatchObject(unavailable);
    }
    a.backplane.deliverLocally(event(['room'], [1]));
    await vi.waitUntil(() => client.got.length === 1);
    expect(await a.backplane.claim('/', 'pid')).toBeUndefined();
    expect(await connect(a, 'came', 's3')).toBeUndefined();
    expect(await connect(a, 'brief', 's4')).toBeUndefined();
    expect(await registry.disconnect('/', 's4', 0)).toBeUndefined();
    expect(await registry.disconnect('/', 's2', 0)).toBeUndefined();
    await client.lose();

    await redis.restart();
    await up(a, b);
    expect(changes).toEqual([false, true]);
    await vi.waitUntil(() => a.news.length === 2, 5000);
    expect(a.news.sort()).toEqual(['+came 2', '-goes 1']);
    expect(b.news).toEqual([]);
    const page = await b.backplane.registry.list('/', 10);
    expect(page.users.map(({ id }) => id)).toEqual(['came', 'stays']);
    await a.backplane.publish(event(['room'], [2]));
    await vi.waitUntil(() => other.got.length > 0, 5000);
    expect(other.got.map((got) => got[1])).toEqual([2]);
  });

  test('that answers no more is away after the time limit, and nothing arrives twice', async () => {
    const [a, b] = [await start(kind), await start(kind)];
    const here = await a.client('u1', ['room']);
    const there = await b.client('u2', ['room']);
    redis.pause();
    const took = await duration(async () => {
      await expect(a.backplane.publish(event(['room'], [1]))).rejects.toMatchObject(unavailable);
      a.backplane.deliverLocally(event(['room'], [1]));
    });
    expect(took).toBeLessThan(1000);
    await away(a, b);
    expect(await duration(() => a.backplane.publish(event(['room'], [0])))).toBeLessThan(50);
    expect(await connect(a, 'u', 's1')).toBeUndefined();
    redis.resume();
    await up(a, b);
    await a.backplane.publish(event(['room'], [2]));
    for (const { got } of [here, there])
      await vi.waitUntil(() => got.some(([, number]) => number === 2), 5000);
    expect(here.got.map((got) => got[1])).toEqual([1, 2]);
    // Redis took it before it was given up: the others may still receive it, once.
    // On mailbox Redis refuses what it comes to too late, once the node knows Redis' clock.
    const heard = there.got.map((got) => got[1]);
    expect(kind === 'mailbox' ? [[2], [1, 2]] : [[1, 2]]).toContainEqual(heard);
    await vi.waitUntil(() => a.news.length > 0, 5000);
    expect(a.news).toEqual(['+u 1']);
  });

  test('starts while Redis is away, and goes on trying', async () => {
    await redis.kill();
    const node = await start(kind);
    expect(node.backplane.health().up).toBe(false);
    const client = await node.client('u1', ['room']);
    expect(await connect(node, 'u1', 's1')).toBeUndefined();
    node.backplane.deliverLocally(event(['room'], [1]));
    await vi.waitUntil(() => client.got.length === 1);
    await redis.restart();
    await up(node);
    await node.backplane.publish(event(['room'], [2]));
    await vi.waitUntil(() => client.got.length === 2, 5000);
    await vi.waitUntil(() => node.news.length === 1, 5000);
    expect(node.news).toEqual(['+u1 1']);
  });

  test('does not spin while it is away', async () => {
    const node = await start(kind);
    await redis.kill();
    await away(node);
    const before = process.cpuUsage();
    const begun = Date.now();
    await vi.waitUntil(() => Date.now() - begun > 2000, { timeout: 5000, interval: 500 });
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(500);
  });

  test('closes at once, with Redis there, dead or paused', async () => {
    for (const state of ['there', 'dead', 'paused']) {
      const node = await startNode({ kind, url: redis.url, timeoutMs: TIMEOUT_MS });
      if (state === 'dead') await redis.kill();
      if (state === 'paused') redis.pause();
      expect(await duration(() => node.close()), state).toBeLessThan(1500);
      if (state === 'dead') await redis.restart();
    }
  });
});
