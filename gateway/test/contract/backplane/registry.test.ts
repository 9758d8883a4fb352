import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { GatewayError } from '@streamgate/protocol/errors';
import type { Registry } from '../../../src/backplane/registry.js';
import { type TestRedis, startRedis } from '../../redis.js';
import { type Kind, type TestNode, startNode } from './node.js';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

let prefixes = 0;
const nodes: TestNode[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()));
});

/** A cluster of its own; `memory` has one node, which is its own neighbour. */
async function cluster(kind: Kind, offlineSeconds = 1): Promise<[TestNode, TestNode]> {
  const prefix = `registry-${++prefixes}`;
  const start = () => startNode({ kind, url: redis.url, prefix, offlineSeconds });
  const a = await start();
  const b = kind === 'memory' ? a : await start();
  nodes.push(a);
  if (b !== a) nodes.push(b);
  return [a, b];
}

function connect(
  { backplane: { registry } }: TestNode,
  userId: string,
  id: string,
  more: {
    roles?: string[];
    username?: string;
    max?: number;
    at?: number;
    ns?: string;
    issuedAt?: number | undefined;
  } = {},
) {
  const { roles = [], username = userId, max = 100, at = Date.now(), ns = '/', issuedAt } = more;
  const user = { id: userId, username, roles };
  return registry.connect(ns, { id, user, connectedAt: at, issuedAt }, max);
}

async function all(registry: Registry, limit = 1000, namespace = '/') {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await registry.list(namespace, limit, cursor);
    ids.push(...page.users.map(({ id }) => id));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return ids;
}

describe.each<Kind>(['memory', 'mailbox', 'streams', 'pubsub'])('the registry of %s', (kind) => {
  test('counts the sessions of users, each user once', async () => {
    const [a, b] = await cluster(kind);
    await connect(a, 'u1', 's1');
    await connect(b, 'u1', 's2');
    await connect(b, 'u2', 's3');
    await connect(b, 'u3', 's4', { ns: '/chat' });
    const ids = ['u1', 'u2', 'u1', 'u3', 'nobody'];
    expect(await a.backplane.registry.sessionsOf('/', ids)).toBe(3);
  });

  test('refuses the tokens of a revoked user that were issued until then', async () => {
    const [a, b] = await cluster(kind);
    const revokedAt = Date.now();
    await a.backplane.registry.revoke(['u1', 'u2'], revokedAt, 60);
    // An earlier moment takes nothing back.
    await b.backplane.registry.revoke(['u1'], revokedAt - 5000, 1);
    for (const issuedAt of [undefined, revokedAt - 1, revokedAt])
      for (const node of [a, b])
        await expect(connect(node, 'u1', 's1', { issuedAt })).rejects.toMatchObject({
          code: 'token_revoked',
        });
    const later = { issuedAt: revokedAt + 1000 };
    expect(await connect(b, 'u1', 's1', later)).toMatchObject({ first: true });
    expect(await connect(b, 'u3', 's3')).toMatchObject({ first: true });
    const known = await b.backplane.registry.revocations();
    expect(known.map(({ userId }) => userId).toSorted()).toEqual(['u1', 'u2']);
    for (const { issuedUntil, until } of known) {
      expect(issuedUntil).toBe(revokedAt);
      expect(Math.abs(until - revokedAt - 60_000)).toBeLessThan(5000);
    }
  });

  test('forgets a revocation when its time is over', async () => {
    const [a, b] = await cluster(kind);
    await a.backplane.registry.revoke(['u1'], Date.now(), 1);
    await expect(connect(b, 'u1', 's1')).rejects.toMatchObject({ code: 'token_revoked' });
    await expect
      .poll(() => connect(b, 'u1', 's1').catch(() => undefined), { timeout: 5000 })
      .toMatchObject({ first: true });
  });

  test('tells the first session of a user from further ones, on any node', async () => {
    const [a, b] = await cluster(kind);
    expect(await connect(a, 'u1', 's1')).toEqual({ first: true, users: 1, heldRooms: [] });
    expect(await connect(b, 'u1', 's2')).toEqual({ first: false, users: 1, heldRooms: [] });
    expect(await connect(b, 'u2', 's3')).toEqual({ first: true, users: 2, heldRooms: [] });
    expect(await a.backplane.registry.disconnect('/', 's1', 0)).toEqual({ last: false, users: 2 });
    expect(await b.backplane.registry.disconnect('/', 's2', 0)).toEqual({ last: true, users: 1 });
    expect(await all(a.backplane.registry)).toEqual(['u2']);
  });

  test('of 30 sessions at once exactly one is first, and exactly one last', async () => {
    const [a, b] = await cluster(kind);
    const sessions = Array.from({ length: 30 }, (_, index) => `s${index}`);
    const at = (index: number) => (index % 2 ? a : b);
    const arrivals = await Promise.all(sessions.map((id, index) => connect(at(index), 'u', id)));
    expect(arrivals.filter((arrival) => arrival?.first)).toHaveLength(1);
    const departures = await Promise.all(
      sessions.map((id, index) => at(index).backplane.registry.disconnect('/', id, 0)),
    );
    expect(departures.filter((departure) => departure?.last)).toHaveLength(1);
    expect(await a.backplane.registry.count('/')).toBe(0);
  });

  test('keeps namespaces apart', async () => {
    const [a] = await cluster(kind);
    await connect(a, 'u', 's1');
    expect(await connect(a, 'u', 's2', { ns: '/chat' })).toMatchObject({ first: true, users: 1 });
    expect(await a.backplane.registry.count('/chat')).toBe(1);
  });

  test('refuses more sessions of a user than allowed, and forgets the refused one', async () => {
    const [a, b] = await cluster(kind);
    await connect(a, 'u', 's1', { max: 2 });
    await connect(b, 'u', 's2', { max: 2 });
    await expect(connect(b, 'u', 's3', { max: 2 })).rejects.toThrow(new GatewayError('user_limit'));
    expect(await a.backplane.registry.find('/', 'u')).toMatchObject({ sessions: 2 });
    await b.backplane.registry.disconnect('/', 's2', 0);
    expect(await connect(b, 'u', 's3', { max: 2 })).toMatchObject({ first: false });
  });

  test('a continued session keeps its id, counts once, and its former node cannot end it', async () => {
    const [a, b] = await cluster(kind);
    await connect(a, 'u', 's', { max: 1 });
    expect(await connect(b, 'u', 's', { max: 1 })).toMatchObject({ first: false, users: 1 });
    if (a !== b) {
      await a.backplane.registry.disconnect('/', 's', 0);
      expect(await b.backplane.registry.find('/', 'u')).toMatchObject({ sessions: 1 });
    }
    expect(await b.backplane.registry.disconnect('/', 's', 0)).toEqual({ last: true, users: 0 });
  });

  test('says who it is: the newest session names the user and its roles', async () => {
    const [a, b] = await cluster(kind);
    const registry = a.backplane.registry;
    await connect(a, 'u', 's1', { username: 'Old', roles: ['x', 'x', 'y'], at: 1000 });
    expect(await registry.countByRole('/')).toEqual({ x: 1, y: 1 });
    await connect(b, 'u', 's2', { username: 'New "ü" 🎉', roles: ['y', 'z'], at: 2000 });
    expect(await registry.find('/', 'u')).toEqual({
      id: 'u',
      username: 'New "ü" 🎉',
      roles: ['y', 'z'],
      sessions: 2,
      connectedAt: new Date(1000).toISOString(),
    });
    expect(await registry.countByRole('/')).toEqual({ y: 1, z: 1 });
    await b.backplane.registry.disconnect('/', 's2', 0);
    expect(await registry.find('/', 'u')).toMatchObject({ username: 'Old', sessions: 1 });
    expect(await registry.countByRole('/')).toEqual({ x: 1, y: 1 });
    const renewed = { id: 'u', username: 'Renewed', roles: ['admin'] };
    await a.backplane.registry.update('/', { id: 's1', user: renewed, connectedAt: 1000 });
    expect(await registry.find('/', 'u')).toMatchObject(renewed);
    expect(await registry.countByRole('/')).toEqual({ admin: 1 });
    await a.backplane.registry.disconnect('/', 's1', 0);
    expect(await registry.find('/', 'u')).toBeUndefined();
    expect(await registry.countByRole('/')).toEqual({});
  });

  test('odd user ids are nobody else', async () => {
    const [a] = await cluster(kind);
    const ids = ['auth0|1', 'a:b', 'a\nb', 'ü', '=user', '0', 'a'.repeat(190), '__proto__'];
    const idOf = (id: string) => `s${ids.indexOf(id)}`;
    for (const id of ids) expect(await connect(a, id, idOf(id))).toMatchObject({ first: true });
    expect((await all(a.backplane.registry, 3)).sort()).toEqual([...ids].sort());
    for (const id of ids)
      expect(await a.backplane.registry.disconnect('/', idOf(id), 0)).toMatchObject({ last: true });
  });

  test('answers who is online in the order asked', async () => {
    const [a, b] = await cluster(kind);
    await connect(a, 'u1', 's1');
    await connect(b, 'u3', 's3');
    expect(await a.backplane.registry.areOnline('/', ['u3', 'u2', 'u1'])).toEqual([
      true,
      false,
      true,
    ]);
    expect(await a.backplane.registry.areOnline('/', [])).toEqual([]);
  });

  test('a lost session counts for the grace time; one node says when it is over', async () => {
    const [a, b] = await cluster(kind);
    await connect(a, 'u', 's1');
    expect(await a.backplane.registry.disconnect('/', 's1', 300)).toEqual({
      last: false,
      users: 1,
    });
    expect(await b.backplane.registry.areOnline('/', ['u'])).toEqual([true]);
    expect(await b.backplane.registry.find('/', 'u')).toMatchObject({ sessions: 0 });
    const news = () => (a === b ? a.news : [...a.news, ...b.news]);
    await vi.waitUntil(() => news().length > 0, 5000);
    expect(news()).toEqual(['-u 0']);
    expect(await b.backplane.registry.areOnline('/', ['u'])).toEqual([false]);
  });

  test('who comes back within the grace time was never away', async () => {
    const [a, b] = await cluster(kind);
    await connect(a, 'u', 's1');
    await a.backplane.registry.disconnect('/', 's1', 200);
    expect(await connect(b, 'u', 's2')).toMatchObject({ first: false });
    await connect(a, 'other', 's3');
    await a.backplane.registry.disconnect('/', 's3', 300);
    await vi.waitUntil(() => [...a.news, ...b.news].length > 0, 5000);
    expect(a === b ? a.news : [...a.news, ...b.news]).toEqual(['-other 1']);
  });

  test('a session that leaves on purpose does not cut short the grace of one that was lost', async () => {
    const [a, b] = await cluster(kind);
    await connect(a, 'u', 's1');
    await connect(b, 'u', 's2');
    await a.backplane.registry.disconnect('/', 's1', 400);
    expect(await b.backplane.registry.disconnect('/', 's2', 0)).toMatchObject({ last: false });
    await vi.waitUntil(() => [...a.news, ...b.news].length > 0, 5000);
  });

  test('services hold rooms for users until these are offline', async () => {
    const [a, b] = await cluster(kind);
    await connect(a, 'u', 's1');
    await b.backplane.registry.hold('/', ['u', 'absent'], 'room one');
    await b.backplane.registry.hold('/', ['u'], 'two');
    await a.backplane.registry.release('/', ['u'], 'two');
    expect((await connect(b, 'u', 's2'))?.heldRooms).toEqual(['room one']);
    expect((await connect(b, 'absent', 's3'))?.heldRooms).toEqual([]);
    await a.backplane.registry.disconnect('/', 's1', 0);
    await b.backplane.registry.disconnect('/', 's2', 0);
    expect((await connect(b, 'u', 's4'))?.heldRooms).toEqual([]);
  });

  test('pages: everyone once, the total always, a malformed cursor refused', async () => {
    const [a, b] = await cluster(kind);
    const ids = Array.from({ length: 25 }, (_, index) => `user ${index}`);
    await Promise.all(ids.map((id, index) => connect(index % 2 ? a : b, id, `s${index}`)));
    const first = await a.backplane.registry.list('/', 10);
    expect(first).toMatchObject({ count: 25 });
    expect(first.users).toHaveLength(10);
    expect((await all(a.backplane.registry, 10)).sort()).toEqual([...ids].sort());
    expect((await a.backplane.registry.list('/', 25)).nextCursor).toBeUndefined();
    await expect(a.backplane.registry.list('/', 10, '%%')).rejects.toMatchObject({
      code: 'invalid_payload',
    });
  });
});
