import { afterEach, describe, expect, test } from 'vitest';
import { eventually } from '../../test/client.js';
import { Hub, type Guest } from '../../test/sessions.js';
import { createMemoryBackplane } from '../backplane/memory.js';
import { readConfig } from '../config.js';
import { metrics } from '../ops/metrics.js';

let hub: Hub;

async function start(env: Record<string, string> = {}): Promise<void> {
  const config = readConfig({ STREAMGATE_MODE: 'development', ...env });
  hub = await new Hub(config, createMemoryBackplane(config)).start();
}

afterEach(() => hub.close());

async function fence(guest: Guest): Promise<void> {
  await hub.rooms.speak(guest.session, { to: '*', event: 'fence', args: [] });
  await guest.client.next('fence');
}

const ann = { id: 'ann', roles: ['Admin'] };
const bob = { id: 'bob', username: 'Bob' };
const timestamp = expect.stringMatching(/^\d{4}-.*Z$/) as string;

describe('announcements', () => {
  test('of a first session go to everyone but the user', async () => {
    await start();
    const a = await hub.arrive(ann);
    const b = await hub.arrive(bob);
    expect(await a.client.next('user-connected')).toEqual({
      user: { id: 'bob', username: 'Bob', roles: [] },
      timestamp,
      activeUsersCount: 2,
    });
    expect(await a.client.next('user_presence')).toEqual({
      userId: 'bob',
      status: 'online',
      timestamp,
    });
    await fence(b);
    expect(b.client.has('user-connected')).toBe(false);
    expect(b.client.has('user_presence')).toBe(false);
  });

  test('are made for the first and after the last session only', async () => {
    await start();
    const a = await hub.arrive(ann);
    const one = await hub.arrive(bob);
    const two = await hub.arrive(bob);
    await hub.presence.depart(one.session, true);
    await fence(a);
    expect(a.client.all('user-connected')).toHaveLength(1);
    expect(a.client.has('user-disconnected')).toBe(false);
    await hub.presence.depart(two.session, true);
    expect(await a.client.next('user-disconnected')).toEqual({
      user: { id: 'bob', username: 'Bob', roles: [] },
      timestamp,
      activeUsersCount: 1,
    });
    expect(await a.client.next('user_presence')).toMatchObject({ status: 'online' });
    expect(await a.client.next('user_presence')).toEqual({
      userId: 'bob',
      status: 'offline',
      timestamp,
    });
  });

  test('of a lost transport wait, and a return within the time makes none', async () => {
    await start({ STREAMGATE_OFFLINE_SECONDS: '1' });
    const a = await hub.arrive(ann);
    const b = await hub.arrive(bob);
    await hub.presence.depart(b.session, false);
    expect(await hub.presence.areOnline('/', ['bob'])).toEqual([true]);
    const again = await hub.arrive(bob);
    await fence(a);
    expect(a.client.all('user-connected')).toHaveLength(1);
    await hub.presence.depart(again.session, false);
    expect(await a.client.next('user-disconnected')).toMatchObject({ user: { id: 'bob' } });
    expect(a.client.has('user-disconnected')).toBe(false);
    expect(await hub.presence.areOnline('/', ['bob'])).toEqual([false]);
  });

  test('stop above the limit, and are counted', async () => {
    await start({ STREAMGATE_ANNOUNCE_MAX_USERS: '1' });
    const suppressed = metrics.announcementsSuppressed.value();
    const a = await hub.arrive(ann);
    const b = await hub.arrive(bob);
    await fence(a);
    expect(a.client.has('user-connected')).toBe(false);
    expect(metrics.announcementsSuppressed.value()).toBe(suppressed + 1);
    await hub.presence.depart(b.session, true);
    expect(await a.client.next('user-disconnected')).toMatchObject({ activeUsersCount: 1 });
  });
});

describe('lists', () => {
  test('show users with sessions and times, page by page, with the total', async () => {
    await start({ STREAMGATE_PAGE_SIZE: '2' });
    for (const id of ['ann', 'bob', 'carl']) await hub.arrive({ id, roles: ['Admin'] });
    await hub.arrive({ id: 'ann', roles: ['Admin'] });
    const first = await hub.presence.activeUsers('/', {});
    expect(first).toMatchObject({ count: 3, nextCursor: expect.any(String) as string });
    const second = await hub.presence.activeUsers('/', { cursor: first.nextCursor });
    expect(second).not.toHaveProperty('nextCursor');
    const users = [...first.users, ...second.users];
    expect(users.map(({ id, sessions }) => [id, sessions])).toEqual([
      ['ann', 2],
      ['bob', 1],
      ['carl', 1],
    ]);
    expect(users[0]).toEqual({
      id: 'ann',
      username: 'ann',
      roles: ['Admin'],
      sessions: 2,
      connectedAt: timestamp,
    });
    expect((await hub.presence.activeUsers('/', { limit: 3 })).users).toHaveLength(3);
  });

  test('say how many users of each role, and since when', async () => {
    await start();
    await hub.arrive(ann);
    await hub.arrive(bob);
    expect(await hub.presence.stats('/', {})).toEqual({
      totalUsers: 2,
      usersByRole: { Admin: 1 },
      connectionTimes: [
        { userId: 'ann', username: 'ann', connectedAt: timestamp },
        { userId: 'bob', username: 'Bob', connectedAt: timestamp },
      ],
    });
  });

  test('show a refreshed name and roles', async () => {
    await start();
    const { session } = await hub.arrive(bob);
    session.principal = { ...session.principal, username: 'Robert', roles: ['editor'] };
    await hub.presence.changed(session);
    const shown = await eventually(
      () => hub.presence.find('/', 'bob'),
      (user) => user?.username === 'Robert',
    );
    expect(shown).toMatchObject({ id: 'bob', roles: ['editor'], sessions: 1 });
    expect(await hub.presence.find('/', 'nobody')).toBeUndefined();
  });

  test('are for those with a presence role', async () => {
    await start({ STREAMGATE_PRESENCE_ROLES: 'admin' });
    const [a, b] = [await hub.connect(ann), await hub.connect(bob)];
    expect(hub.presence.mayList(a.session.principal)).toBe(true);
    expect(hub.presence.mayList(b.session.principal)).toBe(false);
  });
});

test('a user has a bounded number of sessions', async () => {
  await start({ STREAMGATE_MAX_SESSIONS_PER_USER: '1' });
  await hub.arrive(ann);
  await expect(hub.arrive(ann)).rejects.toMatchObject({ code: 'user_limit' });
});
