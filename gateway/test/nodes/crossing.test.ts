import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client, connect } from '../client.js';
import { ALICE, BOB, CAROL } from '../cluster.js';
import { rest } from '../rest.js';
import { BACKPLANES, Several } from './several.js';

/** Alice acts on node 1; Bob on node 2 and Carol on node 3 hear it. */
describe.each(BACKPLANES)('every broadcast kind crosses on %s', (backplane) => {
  let several: Several;
  let alice: Client;
  let others: Client[];
  beforeAll(async () => {
    several = await Several.start(3, backplane);
    [alice, ...others] = (await Promise.all(
      [ALICE, BOB, CAROL].map(async (person, index) => {
        const { client } = await connect(several.node(index + 1).url, person);
        await client.ask('join-room', { room: 'general' });
        return client;
      }),
    )) as [Client, Client, Client];
  });
  afterAll(async () => {
    for (const client of [alice, ...others]) client.close();
    await several.stop();
  });

  const all = [ALICE, BOB, CAROL].map(({ id }) => id);
  const service = (request: string, body: unknown) => rest(several.node(1), request, body);

  test.for([
    ['to everyone', 'broadcast-message', () => alice.ask('send-message', { message: 'x' })],
    [
      'to a room',
      'room-message',
      () => alice.ask('room-message', { room: 'general', message: 'x' }),
    ],
    ['typing', 'typing_indicator', () => alice.ask('typing_start', { room: 'general' })],
    ['a room left', 'user-left-room', () => alice.ask('leave-room', { room: 'general' })],
    ['a room joined', 'user-joined-room', () => alice.ask('join-room', { room: 'general' })],
    [
      "a service's, to everyone",
      'broadcast-notification',
      () => service('POST /websocket/broadcast', { message: 'x' }),
    ],
    [
      "a service's, to users",
      'update',
      () =>
        service('POST /api/gateway/send-many', {
          userIds: all,
          event: 'update',
          message: { n: 1 },
        }),
    ],
  ] as [string, string, () => Promise<unknown>][])('%s: `%s`', async ([, event, act]) => {
    for (const other of others) other.forget();
    await act();
    const [first, second] = await Promise.all(others.map((other) => other.next(event)));
    expect(first).toEqual(second);
  });

  test("to one user: `private-message`, and a service's event", async () => {
    const [bob, carol] = others as [Client, Client];
    for (const [person, client] of [
      [BOB, bob],
      [CAROL, carol],
    ] as const) {
      await alice.ask('send-message', { message: 'psst', to: person.id });
      expect(await client.next('private-message')).toMatchObject({ message: 'psst' });
      await service('POST /api/gateway/send', { userId: person.id, event: 'e', message: [1] });
      expect(await client.next('e')).toEqual([1]);
    }
  });

  test('to a role: `role-notification`', async () => {
    await service('POST /websocket/send-to-role', { role: 'teacher', message: 'x' });
    expect(await others[1]!.next('role-notification')).toMatchObject({ targetRole: 'teacher' });
  });

  test("a service's join and leave", async () => {
    const body = { event: 'join:room', message: { room: 'exam' } };
    for (const userId of all) await service('POST /api/gateway/send', { userId, ...body });
    await alice.ask('room-message', { room: 'exam', message: 'start' });
    for (const other of others)
      expect(await other.next('room-message')).toMatchObject({ room: 'exam', message: 'start' });
    for (const { id } of [BOB, CAROL])
      await service('POST /api/gateway/send', { ...body, userId: id, event: 'leave:room' });
    for (const other of others)
      expect(await other.ask('room-message', { room: 'exam', message: 'x' })).toMatchObject({
        error: { code: 'not_in_room' },
      });
  });

  test('who comes and goes: `user-connected`, `user-disconnected`, `user_presence`', async () => {
    for (const other of others) other.forget();
    const { client: dave } = await connect(several.node(1).url, { id: 'dave' });
    for (const other of others) {
      expect(await other.next('user-connected')).toMatchObject({ activeUsersCount: 4 });
      expect(await other.next('user_presence')).toMatchObject({ userId: 'dave', status: 'online' });
    }
    dave.close();
    for (const other of others) {
      expect(await other.next('user-disconnected')).toMatchObject({ activeUsersCount: 3 });
      expect(await other.next('user_presence')).toMatchObject({ status: 'offline' });
    }
  });

  test('every node lists the same people', async () => {
    for (const node of several.nodes) {
      const { body } = await rest(node, 'GET /api/gateway/connected');
      expect(body.connectedUsers.toSorted()).toEqual(all);
    }
  });
});
