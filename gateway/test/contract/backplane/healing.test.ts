import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type TestRedis, startRedis } from '../../redis.js';
import { type Cable, layCable } from '../../cable.js';
import { type NodeOptions, type TestNode, person, startNode } from './node.js';

// What the registry's lease times allow; the contract says max(15 s, OFFLINE_SECONDS + 5 s).
const SWEPT_WITHIN_MS = 15_000;

let redis: TestRedis;
const nodes: TestNode[] = [];
const cables: Cable[] = [];
beforeEach(async () => {
  redis = await startRedis();
});
afterEach(async () => {
  redis.resume();
  for (const cable of cables) cable.mend();
  await Promise.all(nodes.splice(0).map((node) => node.close()));
  await Promise.all(cables.splice(0).map((cable) => cable.close()));
  await redis.stop();
});

async function start(more: Partial<NodeOptions> = {}): Promise<TestNode> {
  const options = { kind: 'pubsub', url: redis.url, timeoutMs: 300, offlineSeconds: 1 } as const;
  const node = await startNode({ ...options, ...more });
  nodes.push(node);
  return node;
}

/** A node whose network to Redis can be broken. */
async function startOnCable(): Promise<[TestNode, Cable]> {
  const cable = await layCable(redis.port);
  cables.push(cable);
  return [await start({ url: cable.url }), cable];
}

function connect(
  { backplane: { registry } }: TestNode,
  userId: string,
  id: string,
  namespace = '/',
) {
  return registry.connect(
    namespace,
    { id, user: person(userId, ['r']), connectedAt: Date.now() },
    100,
  );
}

const up = (...which: TestNode[]) =>
  vi.waitUntil(() => which.every(({ backplane }) => backplane.health().up), 15_000);
const away = (...which: TestNode[]) =>
  vi.waitUntil(() => which.every(({ backplane }) => !backplane.health().up), 5000);
const online = async ({ backplane: { registry } }: TestNode) =>
  (await registry.list('/', 100)).users.map(({ id, sessions }) => `${id} ${sessions}`);

describe('a node that', { timeout: 60_000 }, () => {
  test('died is swept: its users are said gone by one survivor, in time', async () => {
    const [a, b] = [await start(), await start()];
    const [dead, cable] = await startOnCable();
    for (let index = 0; index < 500; index++) await connect(dead, `u${index}`, `s${index}`);
    await connect(dead, 'elsewhere too', 's-d');
    await connect(a, 'elsewhere too', 's-a');
    await connect(dead, 'chatter', 's-c', '/chat');
    cable.cut();
    const died = Date.now();
    await vi.waitUntil(() => a.news.length + b.news.length >= 501, SWEPT_WITHIN_MS);
    expect(Date.now() - died).toBeLessThan(SWEPT_WITHIN_MS);
    const said = [...a.news, ...b.news].map((news) => news.split(' ')[0]);
    expect(new Set(said)).toEqual(
      new Set(['-chatter', ...Array.from({ length: 500 }, (_, index) => `-u${index}`)]),
    );
    expect(said).toHaveLength(501);
    expect(await online(b)).toEqual(['elsewhere too 1']);
    expect(await b.backplane.registry.countByRole('/')).toEqual({ r: 1 });
  });

  test('was stopped for longer than its lease and continued takes its place again', async () => {
    const a = await start();
    const [stopped, cable] = await startOnCable();
    await connect(stopped, 'u1', 's1');
    await connect(stopped, 'u2', 's2');
    await connect(a, 'u2', 's3');
    cable.hang();
    await vi.waitUntil(() => a.news.length > 0, SWEPT_WITHIN_MS);
    expect(a.news).toEqual(['-u1 1']);
    cable.mend();
    await up(stopped);
    await vi.waitUntil(() => stopped.news.length > 0, 5000);
    expect(stopped.news).toEqual(['+u1 2']);
    await vi.waitUntil(async () => (await online(a)).join() === 'u1 1,u2 2', 5000);
  });

  test('lost its connection for a moment is not missed', async () => {
    const a = await start();
    const [cutOff, cable] = await startOnCable();
    await connect(cutOff, 'u1', 's1');
    await connect(cutOff, 'u2', 's2');
    cable.cut();
    await away(cutOff);
    await cutOff.backplane.registry.disconnect('/', 's2', 0);
    await connect(cutOff, 'u3', 's3');
    await cutOff.backplane.registry.update('/', {
      id: 's1',
      user: person('u1', ['new']),
      connectedAt: 1,
    });
    cable.mend();
    await up(cutOff);
    await vi.waitUntil(() => cutOff.news.length === 2, 5000);
    expect(cutOff.news.sort()).toEqual(['+u3 2', '-u2 1']);
    await vi.waitUntil(async () => (await online(a)).join() === 'u1 1,u3 1', 5000);
    expect(await a.backplane.registry.countByRole('/')).toEqual({ new: 1, r: 1 });
    expect(a.news).toEqual([]);
  });

  test('closes in order leaves nothing behind', async () => {
    const a = await start();
    const b = await startNode({ kind: 'pubsub', url: redis.url });
    await connect(b, 'u', 's');
    await b.backplane.registry.disconnect('/', 's', 0);
    await b.close();
    const admin = new Redis(redis.url);
    expect(await admin.zrange('{streamgate}:1:registry:nodes', 0, '-1')).toEqual([
      a.backplane.nodeId,
    ]);
    admin.disconnect();
  });
});

describe('a Redis that', { timeout: 60_000 }, () => {
  test('pauses 10 s makes nobody disappear', async () => {
    const [a, b] = [await start(), await start()];
    await connect(a, 'u1', 's1');
    await connect(b, 'u2', 's2');
    await connect(b, 'u3', 's3');
    // Steady for more than a lease: both would be allowed to sweep.
    const steady = Date.now();
    await vi.waitUntil(() => Date.now() - steady > 8500, 10_000);
    redis.pause();
    const paused = Date.now();
    await vi.waitUntil(() => Date.now() - paused > 10_000, 12_000);
    redis.resume();
    await up(a, b);
    expect(await online(a)).toEqual(['u1 1', 'u2 1', 'u3 1']);
    // Departures are claimed again when nodes may also sweep again: the first news is this one.
    await b.backplane.registry.disconnect('/', 's3', 100);
    await vi.waitUntil(() => a.news.length + b.news.length > 0, 15_000);
    expect([...a.news, ...b.news]).toEqual(['-u3 2']);
    expect(await online(a)).toEqual(['u1 1', 'u2 1']);
  });

  test.each(['is flushed', 'comes back empty'])('%s is filled again, silently', async (how) => {
    const [a, b] = [await start(), await start()];
    await connect(a, 'u1', 's1');
    await connect(b, 'u1', 's2');
    await connect(b, 'u2', 's3');
    if (how === 'is flushed') {
      const admin = new Redis(redis.url);
      await admin.flushall();
      admin.disconnect();
    } else {
      await redis.kill();
      await away(a, b);
      await connect(a, 'u3', 's4');
      await redis.restart({ keepData: false });
      await up(a, b);
    }
    const came = how === 'is flushed' ? [] : ['u3 1'];
    await vi.waitUntil(
      async () => (await online(a)).join() === ['u1 2', 'u2 1', ...came].join(),
      5000,
    );
    expect(await a.backplane.registry.countByRole('/')).toEqual({ r: 2 + came.length });
    expect(b.news).toEqual([]);
    expect(a.news.map((news) => news.split(' ')[0])).toEqual(came.map(() => '+u3'));
  });

  test('answers a registration too late has it told after all', async () => {
    const a = await start({ timeoutMs: 100 });
    redis.pause();
    const arrivals = Promise.all([connect(a, 'u1', 's1'), connect(a, 'u2', 's2')]);
    expect(await arrivals).toEqual([undefined, undefined]);
    redis.resume();
    await vi.waitUntil(() => a.news.length === 2, 5000);
    expect(a.news.map((news) => news.split(' ')[0]).sort()).toEqual(['+u1', '+u2']);
  });
});

test('a hundred thousand users are listed page by page', { timeout: 120_000 }, async () => {
  const node = await start({ timeoutMs: 5000 });
  const total = 100_000;
  for (let index = 0; index < total; index += 500)
    await Promise.all(
      Array.from({ length: 500 }, (_, at) => connect(node, `u${index + at}`, `s${index + at}`)),
    );
  const admin = new Redis(redis.url);
  const spent = async () => {
    const info = await admin.info('cpu');
    const seconds = (of: string) => Number(new RegExp(`used_cpu_${of}:([\\d.]+)`).exec(info)![1]);
    return seconds('user') + seconds('sys');
  };
  const { registry } = node.backplane;
  const seen = new Set<string>();
  let cursor: string | undefined;
  let most = 0;
  do {
    const before = await spent();
    const page = await registry.list('/', 1000, cursor);
    most = Math.max(most, (await spent()) - before);
    expect(page.count).toBe(total);
    for (const { id } of page.users) seen.add(id);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  expect(seen.size).toBe(total);
  // Nothing holds Redis up, whatever the number of users. Of its own time: others on the machine do not lengthen that.
  expect(most).toBeLessThan(0.05);
  admin.disconnect();
});
