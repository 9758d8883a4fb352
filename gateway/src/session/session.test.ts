import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SERVER_EVENTS } from '@streamgate/protocol/server-events';
import { Hub, silent, type Guest } from '../../test/sessions.js';
import { createMemoryBackplane } from '../backplane/memory.js';
import { readConfig } from '../config.js';
import { EchoGateway } from './echo.js';
import { MessagesGateway } from './messages.js';
import { RoomsGateway } from './rooms.js';
import { TypingGateway } from './typing.js';
import { UsersGateway } from './users.js';

let hub: Hub;
let a: Guest;
let b: Guest;

beforeEach(async () => {
  const config = readConfig({
    STREAMGATE_MODE: 'development',
    STREAMGATE_PRESENCE_ROLES: 'admin',
  });
  hub = await new Hub(config, createMemoryBackplane(config)).start();
  a = await hub.arrive({ id: 'ann', roles: ['admin'] });
  b = await hub.arrive({ id: 'bob' });
  await hub.rooms.speak(a.session, { to: '*', event: 'fence', args: [] });
  for (const { client } of [a, b]) {
    await client.next('fence');
    client.forget();
  }
});

afterEach(() => hub.close());

const from = { id: 'ann', username: 'ann', roles: ['admin'] };
const timestamp = expect.stringMatching(/^\d{4}-.*Z$/) as string;

async function fence(guest: Guest): Promise<void> {
  await hub.rooms.speak(guest.session, { to: '*', event: 'fence', args: [] });
  await guest.client.next('fence');
}

describe('ping and message', () => {
  const gateway = new EchoGateway(silent(readConfig({ STREAMGATE_MODE: 'development' })));

  test.each([[{}], [{ n: 1e21 }], ['x'], [0], [null]])('ping with %j', (data) => {
    const pong = gateway.ping(a.session, data);
    expect(pong).toEqual({ timestamp, data });
    SERVER_EVENTS.pong.parse(pong);
  });

  test('ping with nothing', () => {
    expect(gateway.ping(a.session, undefined)).toEqual({ timestamp });
  });

  test('message', () => {
    expect(gateway.message(a.session, { message: { any: ['json'] }, more: 1 })).toEqual({
      success: true,
      message: 'Message received by server',
      data: { receivedMessage: { any: ['json'] }, timestamp },
    });
  });
});

describe('lists', () => {
  test('are for those with a presence role', async () => {
    const gateway = new UsersGateway(hub.presence);
    expect(await gateway.activeUsers(a.session, {})).toMatchObject({ count: 2 });
    expect(await gateway.stats(a.session, {})).toMatchObject({ totalUsers: 2 });
    for (const list of ['activeUsers', 'stats'] as const)
      expect(() => gateway[list](b.session, {})).toThrow(
        expect.objectContaining({ code: 'forbidden' }) as Error,
      );
  });
});

describe('send-message', () => {
  test('without `to` reaches everyone, the sender too', async () => {
    const gateway = new MessagesGateway(hub.rooms, hub.presence);
    expect(await gateway.send(a.session, { message: 'hi all' })).toEqual({ scope: 'cluster' });
    for (const { client } of [a, b])
      expect(await client.next('broadcast-message')).toEqual({
        from,
        message: 'hi all',
        timestamp,
      });
  });

  test('with `to` reaches every session of that user, and nobody else', async () => {
    const gateway = new MessagesGateway(hub.rooms, hub.presence);
    const tablet = await hub.arrive({ id: 'bob' });
    expect(await gateway.send(a.session, { message: 'psst', to: 'bob' })).toEqual({
      scope: 'cluster',
    });
    for (const { client } of [b, tablet])
      expect(await client.next('private-message')).toEqual({ from, message: 'psst', timestamp });
    await fence(a);
    expect(a.client.has('private-message')).toBe(false);
  });

  test('to an absent user is refused', async () => {
    const gateway = new MessagesGateway(hub.rooms, hub.presence);
    await expect(gateway.send(a.session, { message: 'psst', to: 'carl' })).rejects.toMatchObject({
      code: 'user_offline',
    });
  });
});

describe('rooms', () => {
  test.each(['join', 'joinToo'] as const)('%s, speak, leave', async (join) => {
    const rooms = new RoomsGateway(hub.rooms, hub.typing);
    const messages = new MessagesGateway(hub.rooms, hub.presence);
    const room = 'general';
    expect(await rooms[join](a.session, { room })).toEqual({
      room,
      message: 'Joined room general',
    });
    await rooms.join(b.session, { room });
    await messages.sendToRoom(a.session, { room, message: 'hi' });
    for (const { client } of [a, b])
      expect(await client.next('room-message')).toEqual({ from, message: 'hi', timestamp, room });
    const leave = join === 'join' ? 'leave' : 'leaveToo';
    expect(await rooms[leave](a.session, { room })).toEqual({ room, message: 'Left room general' });
    await expect(messages.sendToRoom(a.session, { room, message: 'hi' })).rejects.toMatchObject({
      code: 'not_in_room',
    });
  });

  test('a client need not wait for the join before it speaks', async () => {
    const joined = new RoomsGateway(hub.rooms, hub.typing).join(a.session, { room: 'general' });
    const spoken = new MessagesGateway(hub.rooms, hub.presence).sendToRoom(a.session, {
      room: 'general',
      message: 'hi',
    });
    await Promise.all([joined, spoken]);
    await a.client.next('room-message');
  });
});

describe('typing', () => {
  test('needs membership, and ends with it', async () => {
    const rooms = new RoomsGateway(hub.rooms, hub.typing);
    const typing = new TypingGateway(hub.rooms, hub.typing);
    const room = 'course:7';
    for (const method of ['start', 'stop'] as const)
      expect(() => typing[method](a.session, { room })).toThrow(
        expect.objectContaining({ code: 'not_in_room' }) as Error,
      );
    await rooms.join(a.session, { room });
    await rooms.join(b.session, { room });
    await typing.start(a.session, { room });
    expect(await b.client.next('typing_indicator')).toMatchObject({ isTyping: true });
    await rooms.leave(a.session, { room });
    expect(await b.client.next('typing_indicator')).toMatchObject({ isTyping: false });
  });
});
