import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RoomRule } from '@streamgate/protocol/room-rules';
import { Hub, principalOf, type Guest } from '../../test/sessions.js';
import { createMemoryBackplane } from '../backplane/memory.js';
import { readConfig } from '../config.js';

const RULES: RoomRule[] = [
  { rooms: 'course:*', allow: { claim: 'courses', contains: '$1' } },
  { rooms: 'staff', allow: { roles: ['teacher'] } },
  { rooms: 'exam:*', allow: 'service' },
];
const ann = { id: 'ann', roles: ['teacher'], claims: { courses: ['7', '8'] } };
const user = { id: 'ann', username: 'ann', roles: ['teacher'] };

let hub: Hub;
let a: Guest;
let b: Guest;

beforeEach(async () => {
  const config = readConfig({
    STREAMGATE_MODE: 'development',
    STREAMGATE_ROOM_RULES: JSON.stringify(RULES),
    STREAMGATE_ROOMS_PER_SESSION: '3',
  });
  hub = await new Hub(config, createMemoryBackplane(config)).start();
  [a, b] = await Promise.all([hub.connect(ann), hub.connect({ id: 'bob' })]);
});

afterEach(() => hub.close());

/** Once this has arrived, whatever was said before it has arrived too. */
async function fence(guest: Guest): Promise<void> {
  await hub.rooms.speak(guest.session, {
    to: [`user:${guest.session.principal.userId}`],
    event: 'fence',
    args: [],
  });
  await guest.client.next('fence');
}

describe('joining', () => {
  test('is told to the others in the room, once', async () => {
    await hub.rooms.join(b.session, 'general');
    await hub.rooms.join(a.session, 'general');
    await hub.rooms.join(a.session, 'general');
    expect(a.session.isIn('general')).toBe(true);
    expect(await b.client.next('user-joined-room')).toEqual({
      user,
      room: 'general',
      timestamp: expect.stringMatching(/Z$/) as string,
    });
    await Promise.all([fence(a), fence(b)]);
    expect(b.client.has('user-joined-room')).toBe(false);
    expect(a.client.has('user-joined-room')).toBe(false);
  });

  test('the same room twice at once is told once', async () => {
    await hub.rooms.join(b.session, 'general');
    await Promise.all([hub.rooms.join(a.session, 'general'), hub.rooms.join(a.session, 'general')]);
    await fence(b);
    expect(b.client.all('user-joined-room')).toHaveLength(1);
  });

  test.each(['user:bob', 'user:ann', 'role:teacher', 'private:bob:carl', 'course:9', 'exam:1'])(
    '%s is refused',
    async (room) => {
      await expect(hub.rooms.join(a.session, room)).rejects.toMatchObject({
        code: 'room_forbidden',
      });
    },
  );

  test('a room that a service brought the session into succeeds, and is not told again', async () => {
    await hub.backplane.join(a.session, ['exam:1']);
    await hub.rooms.join(a.session, 'exam:1');
  });

  test('is bounded, also for joins at the same time; leaving makes room', async () => {
    const joins = ['one', 'two', 'three', 'four'].map((room) => hub.rooms.join(a.session, room));
    const results = await Promise.allSettled(joins);
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
    ]);
    expect(results[3]).toMatchObject({ reason: { code: 'too_many_rooms' } });
    await hub.rooms.join(a.session, 'one');
    await hub.rooms.leave(a.session, 'two');
    await hub.rooms.join(a.session, 'four');
  });
});

describe('leaving', () => {
  test('is told to the others', async () => {
    await hub.rooms.join(a.session, 'general');
    await hub.rooms.join(b.session, 'general');
    await hub.rooms.leave(a.session, 'general');
    expect(await b.client.next('user-left-room')).toMatchObject({ user, room: 'general' });
    expect(a.session.isIn('general')).toBe(false);
  });

  test('a room one is not in succeeds silently', async () => {
    await hub.rooms.join(b.session, 'general');
    await hub.rooms.leave(a.session, 'general');
    await fence(b);
    expect(b.client.has('user-left-room')).toBe(false);
  });

  test('the rooms of a session by what it is, is refused', async () => {
    await expect(hub.rooms.leave(a.session, 'user:ann')).rejects.toMatchObject({
      code: 'room_forbidden',
    });
    expect(a.session.isIn('user:ann')).toBe(true);
  });

  test('by ending is told in every room but those of the user and its roles', async () => {
    await hub.backplane.join(b.session, ['role:teacher']);
    await hub.rooms.join(b.session, 'one');
    await hub.rooms.join(b.session, 'two');
    hub.rooms.ended(a.session, ['user:ann', 'role:teacher', 'one', 'two']);
    await fence(b);
    expect(b.client.all('user-left-room')).toMatchObject([{ room: 'one' }, { room: 'two' }]);
  });
});

test('rooms held from the start are told to the others', async () => {
  await hub.rooms.join(b.session, 'general');
  const second = await hub.connect(ann, ['general']);
  hub.rooms.entered(second.session);
  expect(await b.client.next('user-joined-room')).toMatchObject({ user, room: 'general' });
  await fence(second);
  expect(second.client.has('user-joined-room')).toBe(false);
});

describe('speaking', () => {
  test('reaches everyone in the room, the speaker too, and nobody else', async () => {
    await hub.rooms.join(a.session, 'general');
    const payload = { from: user, message: 'hi', timestamp: 'now', room: 'general' };
    expect(await hub.rooms.speakIn(a.session, 'general', 'room-message', payload)).toEqual({
      scope: 'cluster',
    });
    expect(await a.client.next('room-message')).toEqual(payload);
    await fence(b);
    expect(b.client.has('room-message')).toBe(false);
  });

  test.each([
    ['general', 'not_in_room'],
    ['user:ann', 'room_forbidden'],
    ['role:teacher', 'room_forbidden'],
  ])('in %s without being let: %s', (room, code) => {
    expect(() => hub.rooms.checkSpeak(a.session, room)).toThrow(
      expect.objectContaining({ code }) as Error,
    );
  });
});

describe('who one is decides the rooms', () => {
  test('at connect: the user, each role once, what services hold, without a rule', () => {
    const principal = principalOf({ id: 'ann', roles: ['a', 'b', 'a'] });
    expect(hub.rooms.atConnect(principal, ['exam:1', 'role:b'])).toEqual([
      'user:ann',
      'role:a',
      'role:b',
      'exam:1',
    ]);
  });

  test('at recovery: only what is allowed now', () => {
    const before = [
      'user:ann',
      'role:old',
      'course:7',
      'course:9',
      'staff',
      'exam:1',
      'exam:2',
      'x',
    ];
    const principal = principalOf({ id: 'ann', roles: ['new'], claims: { courses: ['7'] } });
    expect(hub.rooms.keep(principal, before, ['exam:2'])).toEqual([
      'user:ann',
      'role:new',
      'exam:2',
      'course:7',
      'x',
    ]);
  });

  test('after a refresh: role rooms change, closed rooms are left and told', async () => {
    for (const room of ['course:7', 'staff']) await hub.rooms.join(a.session, room);
    await hub.backplane.join(a.session, ['exam:1']);
    await hub.backplane.join(b.session, ['staff', 'course:7', 'exam:1']);
    const before = a.session.principal;
    a.session.principal = principalOf({ id: 'ann', roles: ['student'], claims: ann.claims });
    await hub.rooms.rolesChanged(a.session, before);
    expect(a.session.roomNames().sort()).toEqual([
      'course:7',
      'exam:1',
      'role:student',
      'user:ann',
    ]);
    expect(await a.client.next('left-room')).toEqual({
      room: 'staff',
      message: 'No longer allowed in room staff',
    });
    await fence(b);
    expect(b.client.all('user-left-room')).toMatchObject([{ room: 'staff', user: { id: 'ann' } }]);
  });

  test('after a refresh that changes nothing, nothing happens', async () => {
    await hub.rooms.join(a.session, 'staff');
    const before = a.session.roomNames();
    await hub.rooms.rolesChanged(a.session, a.session.principal);
    await fence(a);
    expect(a.session.roomNames()).toEqual(before);
    expect(a.client.has('left-room')).toBe(false);
  });
});
