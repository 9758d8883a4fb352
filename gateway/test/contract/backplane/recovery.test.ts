import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type TestRedis, startRedis } from '../../redis.js';
import {
  type Kind,
  type TestClient,
  type TestNode,
  createBackplane,
  event,
  lastOffset,
  startNode,
} from './node.js';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

describe.each<Kind>(['memory', 'mailbox', 'streams'])('recovery over %s', (kind) => {
  let nodes: TestNode[];
  let a: TestNode;
  let b: TestNode;
  const options = { kind, prefix: `recovery-${kind}` };
  beforeAll(async () => {
    const start = () => startNode({ ...options, url: redis.url });
    nodes = kind === 'memory' ? [await start()] : await Promise.all([start(), start()]);
    [a, b = a] = nodes as [TestNode, TestNode?];
  });
  afterAll(() => Promise.all(nodes.map((node) => node.close())));

  const numbers = ({ got }: TestClient) => got.map((args) => args[1]);
  const pidOf = ({ socket }: TestClient) => (socket as unknown as { _pid: string })._pid;

  /** Waits until everything published before has come to this client. */
  async function caughtUp(client: TestClient, node: TestNode): Promise<unknown[]> {
    await node.backplane.publish(event('*', ['end']));
    await vi.waitUntil(() => numbers(client).includes('end'), 5000);
    return numbers(client).filter((number) => number !== 'end');
  }

  test('gives what was missed, once and in order, on any node', async () => {
    const client = await a.client('u1', ['news']);
    const { id } = client.session;
    await a.backplane.publish(event(['news'], [1]));
    await vi.waitUntil(() => client.got.length === 1);
    await client.lose();
    await a.backplane.publish(event(['news'], [2]));
    await b.backplane.publish(event('*', [3]));
    await b.backplane.publish(event(['elsewhere'], [-1]));
    await b.backplane.publish(event(['news'], [-2], { except: ['user:u1'] }));
    await b.backplane.publish(event(['news'], [-3], { exceptSessions: [id] }));
    await b.backplane.publish(event(['news'], [-4], { volatile: true }));
    await a.backplane.publish(event(['user:u1'], [4]));
    await client.comeBack(b);
    expect(client.socket.recovered).toBe(true);
    expect(client.session.id).toBe(id);
    await a.backplane.publish(event(['news'], [5]));
    expect(await caughtUp(client, a)).toEqual([1, 2, 3, 4, 5]);
  });

  test('works for a session that has received nothing', async () => {
    const client = await a.client('u1', ['quiet']);
    await client.lose();
    await a.backplane.publish(event(['quiet'], [1]));
    await client.comeBack(b);
    expect(client.socket.recovered).toBe(true);
    expect(await caughtUp(client, a)).toEqual([1]);
  });

  test('gives a session once, and says whose it was', async () => {
    const client = await a.client('u1', ['once']);
    const { id } = client.session;
    await client.lose();
    const pid = pidOf(client);
    const lost = await b.backplane.claim('/', pid);
    expect(lost).toEqual({ id, userId: 'u1', rooms: ['user:u1', 'once'] });
    expect(await a.backplane.claim('/', pid)).toBeUndefined();
    expect(await a.backplane.claim('/chat', 'unknown')).toBeUndefined();
    await client.comeBack(b);
    expect(client.socket.recovered).toBe(false);
  });

  test('is bound to its namespace', async () => {
    const client = await a.client('u1');
    await client.lose();
    expect(await a.backplane.claim('/chat', pidOf(client))).toBeUndefined();
    expect(await a.backplane.claim('/', pidOf(client))).toBeDefined();
  });

  test('gives nothing of a room that is not allowed any more', async () => {
    const client = await a.client('u1', ['open', 'closed']);
    await client.lose();
    await a.backplane.publish(event(['closed'], [-1]));
    await a.backplane.publish(event(['open'], [1]));
    b.keeps = (rooms) => rooms.filter((room) => room !== 'closed');
    await client.comeBack(b);
    b.keeps = (rooms) => rooms;
    expect(client.socket.recovered).toBe(true);
    await a.backplane.publish(event(['closed'], [-2]));
    expect(await caughtUp(client, a)).toEqual([1]);
  });

  test('refuses offsets that it does not know', async () => {
    const missedSince = async (change: (known: string) => string) => {
      const client = await a.client('u1');
      const offset = change(lastOffset(client.socket)!);
      await client.lose();
      const lost = await a.backplane.claim('/', pidOf(client));
      return a.backplane.missed('/', lost!, offset, lost!.rooms);
    };
    expect(await missedSince((known) => known)).toBeDefined();
    for (const unknown of ['', 'x', '0-0', '1-1', '9999999999999-0', '-', '1e3-0'])
      expect(await missedSince(() => unknown), unknown).toBeUndefined();
    // A mailbox takes a place behind the end of an entry for its end.
    if (kind !== 'mailbox') expect(await missedSince((known) => `${known}9`)).toBeUndefined();
  });

  test('loses and repeats nothing while both nodes publish', async () => {
    const client = await a.client('u1', ['busy']);
    const total = 600;
    let written = 0;
    const writing = (async () => {
      while (written < total) {
        const next = written++;
        // Both nodes take turns, each event behind the one before.
        await (next % 2 ? a : b).backplane.publish(event(['busy'], [next]));
        await new Promise(setImmediate);
      }
    })();
    for (let round = 0; round < 12; round++) {
      await client.lose();
      await client.comeBack(round % 2 ? a : b);
      expect(client.socket.recovered).toBe(true);
    }
    await writing;
    expect(await caughtUp(client, a)).toEqual(Array.from({ length: total }, (_, n) => n));
  });

  test('is over after its time', async () => {
    const node = await startNode({
      ...options,
      url: redis.url,
      prefix: 'brief',
      recoverySeconds: 1,
    });
    try {
      const client = await node.client('u1');
      await client.lose();
      const lostAt = Date.now();
      await vi.waitUntil(() => Date.now() - lostAt > 1000, 5000);
      expect(await node.backplane.claim('/', pidOf(client))).toBeUndefined();
    } finally {
      await node.close();
    }
  });

  test('can be turned off', async () => {
    const node = await startNode({ ...options, url: redis.url, prefix: 'off', recoverySeconds: 0 });
    try {
      expect(node.backplane.recovers).toBe(false);
      expect(node.backplane.offset('/')).toBeUndefined();
      expect(node.backplane.serverOptions.connectionStateRecovery).toBeUndefined();
      const client = await node.client('u1');
      await node.backplane.publish(event('*', ['text']));
      await vi.waitUntil(() => client.got.length === 1);
      expect(client.got).toEqual([['said', 'text']]);
    } finally {
      await node.close();
    }
  });

  test('an offset that the stream has dropped is too old', async () => {
    // The mailboxes' own trimming is tested with the adapter.
    if (kind !== 'streams') return;
    const client = await a.client('u1');
    await client.lose();
    const admin = new Redis(redis.url);
    await a.backplane.publish(event('*', [1]));
    await admin.xtrim(`{${options.prefix}}:1:stream`, 'MAXLEN', 1);
    admin.disconnect();
    await client.comeBack();
    expect(client.socket.recovered).toBe(false);
  });
});

test('pubsub recovers nothing and says so', async () => {
  const backplane = createBackplane({ kind: 'pubsub', url: redis.url });
  expect(backplane.recovers).toBe(false);
  expect(backplane.serverOptions.connectionStateRecovery).toBeUndefined();
  await backplane.close();
});
