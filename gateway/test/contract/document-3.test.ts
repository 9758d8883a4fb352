import { describe, expect } from 'vitest';
import { ALICE, BOB, CAROL, alice, bob, carol, document, row, timestamp } from '../cluster.js';
import { eventually } from '../client.js';
import { SERVICE } from '../rest.js';
import { shown, tokenOf } from '../tokens.js';

const service = shown(SERVICE);
const entry = (user: typeof alice, sessions = 1) => ({ ...user, sessions, connectedAt: timestamp });
const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);

document(3, (cluster) => {
  describe('authentication', () => {
    row('auth object', "{ auth: { token: 'your-jwt-token' } }", async () => {
      const client = cluster.client('two', { auth: { token: await tokenOf(ALICE) } });
      expect(await client.next('connected')).toMatchObject({ user: alice });
    });

    row('Authorization header', 'Bearer your-jwt-token', async () => {
      const extraHeaders = { Authorization: `Bearer ${await tokenOf(ALICE)}` };
      const client = cluster.client('two', { extraHeaders });
      expect(await client.next('connected')).toMatchObject({ user: alice });
    });

    row('query parameter', '?token=your-jwt-token', async () => {
      const client = cluster.client('two', { query: { token: await tokenOf(ALICE) } });
      expect(await client.next('connected')).toMatchObject({ user: alice });
    });

    row('several ways at once', 'auth before header before query', async () => {
      const [first, second, third] = await Promise.all([ALICE, BOB, CAROL].map((p) => tokenOf(p)));
      const extraHeaders = { Authorization: `Bearer ${second}` };
      const all = cluster.client('two', {
        auth: { token: first },
        extraHeaders,
        query: { token: third },
      });
      expect(await all.next('connected')).toMatchObject({ user: alice });
      const two = cluster.client('two', { extraHeaders, query: { token: third } });
      expect(await two.next('connected')).toMatchObject({ user: bob });
    });
  });

  describe('client events', () => {
    row('get-active-users', '-', async () => {
      const client = await cluster.connect(ALICE, 'one');
      await cluster.connect(BOB, 'two');
      await cluster.connect(BOB, 'one');
      const { data } = await client.ask('get-active-users');
      expect({ ...data, users: data.users.sort(byId) }).toEqual({
        users: [entry(alice), entry(bob, 2)],
        count: 2,
      });
      client.socket.emit('get-active-users');
      await client.next('active-users');
      expect(await client.next('active-users')).toEqual(data);
    });

    row('get-active-users', '{ limit, cursor }', async () => {
      const client = await cluster.connect(ALICE, 'one');
      await cluster.connect(BOB, 'two');
      await cluster.connect(CAROL, 'two');
      const first = (await client.ask('get-active-users', { limit: 2 })).data;
      expect(first).toMatchObject({ count: 3, nextCursor: expect.any(String) as string });
      const rest = (await client.ask('get-active-users', { limit: 2, cursor: first.nextCursor }))
        .data;
      expect(rest).toMatchObject({ count: 3 });
      expect(rest).not.toHaveProperty('nextCursor');
      expect([...first.users, ...rest.users].sort(byId)).toEqual([
        entry(alice),
        entry(bob),
        entry(carol),
      ]);
    });

    row('get-users-stats', '-', async () => {
      const client = await cluster.connect(ALICE, 'one');
      await cluster.connect(BOB, 'two');
      await cluster.connect(CAROL, 'two');
      const { data } = await client.ask('get-users-stats');
      const byUser = (a: { userId: string }, b: { userId: string }) =>
        a.userId < b.userId ? -1 : 1;
      expect({ ...data, connectionTimes: data.connectionTimes.sort(byUser) }).toEqual({
        totalUsers: 3,
        usersByRole: { student: 2, admin: 1, teacher: 1 },
        connectionTimes: [
          { userId: 'alice', username: 'Alice', connectedAt: timestamp },
          { userId: 'bob', username: 'Bob', connectedAt: timestamp },
          { userId: 'carol', username: 'Carol', connectedAt: timestamp },
        ],
      });
    });

    row('send-message', '{ message }: public', async () => {
      const sender = await cluster.connect(ALICE, 'one');
      const other = await cluster.connect(BOB, 'two');
      const answer = await sender.ask('send-message', { message: 'Hello everyone!' });
      expect(answer).toEqual({ data: { scope: 'cluster' } });
      const heard = { from: alice, message: 'Hello everyone!', timestamp };
      expect(await other.next('broadcast-message')).toEqual(heard);
      expect(await sender.next('broadcast-message')).toEqual(heard);
    });

    row('send-message', '{ message, to }: private', async () => {
      const sender = await cluster.connect(ALICE, 'one');
      const phone = await cluster.connect(BOB, 'one');
      const laptop = await cluster.connect(BOB, 'two');
      const other = await cluster.connect(CAROL, 'two');
      const answer = await sender.ask('send-message', { message: 'Psst', to: 'bob' });
      expect(answer).toEqual({ data: { scope: 'cluster' } });
      const heard = { from: alice, message: 'Psst', timestamp };
      expect(await phone.next('private-message')).toEqual(heard);
      expect(await laptop.next('private-message')).toEqual(heard);
      await cluster.settled(other, CAROL);
      await cluster.settled(sender, ALICE);
      for (const client of [sender, other]) {
        expect(client.has('private-message')).toBe(false);
        expect(client.has('broadcast-message')).toBe(false);
      }
    });

    row('join-room', '{ room }', async () => {
      const client = await cluster.connect(ALICE, 'one');
      const answer = await client.ask('join-room', { room: 'general' });
      expect(answer).toEqual({ data: { room: 'general', message: expect.any(String) as string } });
      expect(await client.next('joined-room')).toEqual(answer.data);
    });

    row('leave-room', '{ room }', async () => {
      const client = await cluster.connect(ALICE, 'one');
      const other = await cluster.connect(BOB, 'two');
      await other.ask('join-room', { room: 'general' });
      await client.ask('join-room', { room: 'general' });
      const answer = await client.ask('leave-room', { room: 'general' });
      expect(answer).toEqual({ data: { room: 'general', message: expect.any(String) as string } });
      expect(await client.next('left-room')).toEqual(answer.data);
      await other.ask('room-message', { room: 'general', message: 'Still there?' });
      await cluster.settled(client, ALICE);
      expect(client.has('room-message')).toBe(false);
    });

    row('leave-room', 'a room one is not in', async () => {
      const client = await cluster.connect(ALICE, 'one');
      const answer = await client.ask('leave-room', { room: 'nowhere' });
      expect(answer).toEqual({ data: { room: 'nowhere', message: expect.any(String) as string } });
      expect(await client.next('left-room')).toEqual(answer.data);
    });

    row('room-message', '{ room, message }', async () => {
      const speaker = await cluster.connect(ALICE, 'one');
      const member = await cluster.connect(BOB, 'two');
      const outsider = await cluster.connect(CAROL, 'two');
      await speaker.ask('join-room', { room: 'general' });
      await member.ask('join-room', { room: 'general' });
      const answer = await speaker.ask('room-message', { room: 'general', message: 'Hello room!' });
      expect(answer).toEqual({ data: { scope: 'cluster' } });
      const heard = { from: alice, message: 'Hello room!', room: 'general', timestamp };
      expect(await member.next('room-message')).toEqual(heard);
      expect(await speaker.next('room-message')).toEqual(heard);
      await cluster.settled(outsider, CAROL);
      expect(outsider.has('room-message')).toBe(false);
    });

    row('room-message', 'to a room one is not in', async () => {
      const client = await cluster.connect(ALICE, 'one');
      const member = await cluster.connect(BOB, 'two');
      await member.ask('join-room', { room: 'general' });
      const answer = await client.ask('room-message', { room: 'general', message: 'Hello room!' });
      expect(answer).toEqual({
        error: { message: 'Join the room first', code: 'not_in_room', retryable: false },
      });
      await cluster.settled(member, BOB);
      expect(member.has('room-message')).toBe(false);
    });
  });

  describe('server events', () => {
    row('connected', '{ message, user, timestamp }', async () => {
      const client = cluster.client('two', { auth: { token: await tokenOf(CAROL) } });
      expect(await client.next('connected')).toEqual({
        message: 'Successfully connected to WebSocket',
        userId: 'carol',
        socketId: client.socket.id,
        user: carol,
        timestamp,
        recovered: false,
      });
    });

    row('user-connected', '{ user, timestamp, activeUsersCount }', async () => {
      const witness = await cluster.connect(ALICE, 'one');
      const arriving = await cluster.connect(BOB, 'two');
      expect(await witness.next('user-connected')).toEqual({
        user: bob,
        timestamp,
        activeUsersCount: 2,
      });
      // Only the first session is announced, and not to the user.
      await cluster.connect(BOB, 'one');
      await cluster.settled(witness, ALICE);
      await cluster.settled(arriving, BOB);
      expect(witness.has('user-connected')).toBe(false);
      expect(arriving.has('user-connected')).toBe(false);
    });

    row('user-disconnected', '{ user, timestamp, activeUsersCount }', async () => {
      const witness = await cluster.connect(ALICE, 'one');
      const phone = await cluster.connect(BOB, 'two');
      const laptop = await cluster.connect(BOB, 'one');
      phone.close();
      await eventually(
        () => witness.ask('get-active-users'),
        ({ data }) => data.users.every((user: { sessions: number }) => user.sessions === 1),
      );
      await cluster.settled(witness, ALICE);
      expect(witness.has('user-disconnected')).toBe(false);
      laptop.close();
      expect(await witness.next('user-disconnected')).toEqual({
        user: bob,
        timestamp,
        activeUsersCount: 1,
      });
    });

    row('active-users', '{ users, count }', async () => {
      const client = await cluster.connect(ALICE, 'two');
      client.socket.emit('get-active-users');
      expect(await client.next('active-users')).toEqual({ users: [entry(alice)], count: 1 });
    });

    row('users-stats', '{ totalUsers, usersByRole, connectionTimes }', async () => {
      const client = await cluster.connect(ALICE, 'two');
      client.socket.emit('get-users-stats');
      expect(await client.next('users-stats')).toEqual({
        totalUsers: 1,
        usersByRole: { student: 1 },
        connectionTimes: [{ userId: 'alice', username: 'Alice', connectedAt: timestamp }],
      });
    });

    row('private-message', '{ from, message, timestamp }', async () => {
      const sender = await cluster.connect(ALICE, 'one');
      const receiver = await cluster.connect(BOB, 'two');
      sender.socket.emit('send-message', { message: 'Psst', to: 'bob' });
      expect(await receiver.next('private-message')).toEqual({
        from: alice,
        message: 'Psst',
        timestamp,
      });
    });

    row('broadcast-message', '{ from, message, timestamp }', async () => {
      const sender = await cluster.connect(ALICE, 'one');
      const receiver = await cluster.connect(BOB, 'two');
      sender.socket.emit('send-message', { message: 'Hello everyone!' });
      expect(await receiver.next('broadcast-message')).toEqual({
        from: alice,
        message: 'Hello everyone!',
        timestamp,
      });
    });

    row('notification', '{ from, message, type, timestamp }', async () => {
      const client = await cluster.connect(ALICE, 'two');
      await cluster.rest('POST /websocket/send-notification', { userId: 'alice', message: 'Hi' });
      expect(await client.next('notification')).toEqual({
        from: service,
        message: 'Hi',
        type: 'info',
        timestamp,
      });
    });

    row('broadcast-notification', '{ from, message, type, timestamp }', async () => {
      const client = await cluster.connect(ALICE, 'two');
      await cluster.rest('POST /websocket/broadcast', { message: 'Hi all', type: 'warning' });
      expect(await client.next('broadcast-notification')).toEqual({
        from: service,
        message: 'Hi all',
        type: 'warning',
        timestamp,
      });
    });

    row('role-notification', '{ from, message, type, targetRole, timestamp }', async () => {
      const client = await cluster.connect(CAROL, 'two');
      await cluster.rest('POST /websocket/send-to-role', { role: 'admin', message: 'Admins' });
      expect(await client.next('role-notification')).toEqual({
        from: service,
        message: 'Admins',
        type: 'info',
        targetRole: 'admin',
        timestamp,
      });
    });

    row('user-joined-room', '{ user, room, timestamp }', async () => {
      const member = await cluster.connect(ALICE, 'one');
      const joining = await cluster.connect(BOB, 'two');
      await member.ask('join-room', { room: 'general' });
      // What was announced before one joined may arrive after it: not here.
      await cluster.settled(joining, BOB);
      await joining.ask('join-room', { room: 'general' });
      expect(await member.next('user-joined-room')).toEqual({
        user: bob,
        room: 'general',
        timestamp,
      });
      // To the others only, and joining twice is announced once.
      await joining.ask('join-room', { room: 'general' });
      await cluster.settled(member, ALICE);
      await cluster.settled(joining, BOB);
      expect(member.has('user-joined-room')).toBe(false);
      expect(joining.all('user-joined-room')).not.toContainEqual(
        expect.objectContaining({ user: bob }),
      );
    });

    row('user-left-room', '{ user, room, timestamp }', async () => {
      const member = await cluster.connect(ALICE, 'one');
      const leaving = await cluster.connect(BOB, 'two');
      await member.ask('join-room', { room: 'general' });
      await leaving.ask('join-room', { room: 'general' });
      await leaving.ask('leave-room', { room: 'general' });
      const left = { user: bob, room: 'general', timestamp };
      expect(await member.next('user-left-room')).toEqual(left);
      await cluster.settled(leaving, BOB);
      expect(leaving.has('user-left-room')).toBe(false);
      // A session that ends leaves too.
      await leaving.ask('join-room', { room: 'general' });
      leaving.close();
      expect(await member.next('user-left-room')).toEqual(left);
    });

    row('room-message', '{ from, message, room, timestamp }', async () => {
      const speaker = await cluster.connect(ALICE, 'one');
      const member = await cluster.connect(BOB, 'two');
      await speaker.ask('join-room', { room: 'general' });
      await member.ask('join-room', { room: 'general' });
      speaker.socket.emit('room-message', { room: 'general', message: 'Hello room!' });
      expect(await member.next('room-message')).toEqual({
        from: alice,
        message: 'Hello room!',
        room: 'general',
        timestamp,
      });
    });

    row('joined-room', '{ room, message }', async () => {
      const client = await cluster.connect(ALICE, 'two');
      client.socket.emit('join-room', { room: 'general' });
      expect(await client.next('joined-room')).toEqual({
        room: 'general',
        message: expect.any(String) as string,
      });
    });

    row('left-room', '{ room, message }', async () => {
      const client = await cluster.connect(ALICE, 'two');
      await client.ask('join-room', { room: 'general' });
      client.socket.emit('leave-room', { room: 'general' });
      expect(await client.next('left-room')).toEqual({
        room: 'general',
        message: expect.any(String) as string,
      });
    });

    row('error', '{ message }', async () => {
      const client = await cluster.connect(ALICE, 'two');
      client.socket.emit('join-room', { room: 'user:bob' });
      expect(await client.next('error')).toEqual({
        message: 'Not allowed in this room',
        code: 'room_forbidden',
        retryable: false,
        event: 'join-room',
      });
    });
  });

  describe('REST', () => {
    const statsOf = { totalUsers: 2, usersByRole: { student: 2 } };

    row('GET /websocket/active-users', '', async () => {
      await cluster.connect(ALICE, 'one');
      await cluster.connect(BOB, 'two');
      const { status, body } = await cluster.rest('GET /websocket/active-users');
      expect(status).toBe(200);
      expect({ ...body, users: body.users.sort(byId) }).toEqual({
        users: [entry(alice), entry(bob)],
        count: 2,
        stats: expect.objectContaining(statsOf) as unknown,
      });
    });

    row('GET /websocket/users-stats', '', async () => {
      await cluster.connect(ALICE, 'one');
      await cluster.connect(BOB, 'two');
      const { status, body } = await cluster.rest('GET /websocket/users-stats');
      expect(status).toBe(200);
      expect(body).toMatchObject(statsOf);
      expect(body.connectionTimes).toHaveLength(2);
      expect(body.connectionTimes).toContainEqual({
        userId: 'bob',
        username: 'Bob',
        connectedAt: timestamp,
      });
    });

    row('POST /websocket/send-notification', '{ userId, message, type? }', async () => {
      const client = await cluster.connect(BOB, 'two');
      const other = await cluster.connect(ALICE, 'two');
      const body = { userId: 'bob', message: 'New lesson', type: 'success' };
      const answer = await cluster.rest('POST /websocket/send-notification', body);
      expect(answer).toMatchObject({ status: 200, body: { success: true } });
      expect(answer.body).toEqual({ success: true, message: expect.any(String) as string });
      expect(await client.next('notification')).toEqual({
        from: service,
        message: 'New lesson',
        type: 'success',
        timestamp,
      });
      await cluster.settled(other, ALICE);
      expect(other.has('notification')).toBe(false);
    });

    row('POST /websocket/send-notification', 'to an absent user', async () => {
      const body = { userId: 'nobody', message: 'New lesson' };
      const answer = await cluster.rest('POST /websocket/send-notification', body);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({ success: false, message: expect.any(String) as string });
    });

    row('POST /websocket/broadcast', '{ message, type? }', async () => {
      const one = await cluster.connect(ALICE, 'one');
      const two = await cluster.connect(BOB, 'two');
      const answer = await cluster.rest('POST /websocket/broadcast', { message: 'Maintenance' });
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({ success: true, message: expect.any(String) as string });
      const heard = { from: service, message: 'Maintenance', type: 'info', timestamp };
      expect(await one.next('broadcast-notification')).toEqual(heard);
      expect(await two.next('broadcast-notification')).toEqual(heard);
    });

    row('POST /websocket/send-to-role', '{ role, message, type? }', async () => {
      const teacher = await cluster.connect(CAROL, 'two');
      const student = await cluster.connect(ALICE, 'two');
      const body = { role: 'teacher', message: 'Grades are due', type: 'warning' };
      const answer = await cluster.rest('POST /websocket/send-to-role', body);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({ success: true, message: expect.any(String) as string });
      expect(await teacher.next('role-notification')).toEqual({
        from: service,
        message: 'Grades are due',
        type: 'warning',
        targetRole: 'teacher',
        timestamp,
      });
      await cluster.settled(student, ALICE);
      expect(student.has('role-notification')).toBe(false);
    });

    row('all endpoints', 'auth required', async () => {
      for (const endpoint of [
        'GET /websocket/active-users',
        'GET /websocket/users-stats',
        'POST /websocket/send-notification',
        'POST /websocket/broadcast',
        'POST /websocket/send-to-role',
      ]) {
        const body = endpoint.startsWith('POST') ? { message: 'x' } : undefined;
        const answer = await cluster.rest(endpoint, body, null);
        expect(answer).toMatchObject({ status: 401, body: { code: 'unauthorized' } });
        expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      }
    });
  });

  describe('error handling', () => {
    row('invalid JWT', 'results in connection rejection', async () => {
      const token = await tokenOf(ALICE, 3600, 'another-secret-than-that-of-the-gateway');
      const client = cluster.client('two', { auth: { token } });
      expect(await client.life('connect_error')).toMatchObject({
        message: 'Authentication failed',
        data: { code: 'authentication_failed', retryable: false },
      });
    });

    row('missing authentication', 'is refused', async () => {
      const client = cluster.client('two', {});
      expect(await client.life('connect_error')).toMatchObject({
        message: 'Authentication failed',
        data: { code: 'authentication_failed', retryable: false },
      });
    });

    row('private message to an offline user', 'returns an error event', async () => {
      const client = await cluster.connect(ALICE, 'one');
      const answer = await client.ask('send-message', { message: 'Psst', to: 'nobody' });
      const error = {
        message: 'The user is not connected',
        code: 'user_offline',
        retryable: false,
      };
      expect(answer).toEqual({ error });
      expect(await client.next('error')).toEqual({ ...error, event: 'send-message' });
    });

    row('any failure', 'is emitted as an error event', async () => {
      const client = await cluster.connect(ALICE, 'one');
      for (const [event, payload, code] of [
        ['send-message', {}, 'invalid_payload'],
        ['join-room', { room: '' }, 'invalid_payload'],
        ['room-message', { room: 'elsewhere', message: 'x' }, 'not_in_room'],
      ] as const) {
        client.socket.emit(event, payload);
        expect(await client.next('error')).toMatchObject({ code, event });
      }
      client.socket.emit('no-such-event', {});
      expect(await client.next('error')).toMatchObject({ code: 'unknown_event' });
    });
  });

  describe('usage', () => {
    row('join-room', 'and room-message right after it, without waiting', async () => {
      const client = await cluster.connect(ALICE, 'two');
      client.socket.emit('join-room', { room: 'general' });
      client.socket.emit('room-message', { room: 'general', message: 'Hello room!' });
      expect(await client.next('room-message')).toMatchObject({ message: 'Hello room!' });
      expect(client.has('error')).toBe(false);
    });
  });

  describe('backend usage (through REST)', () => {
    row('sendToUser', "'notification'", async () => {
      const client = await cluster.connect(ALICE, 'two');
      const message = { message: 'Hi', type: 'info', timestamp: new Date().toISOString() };
      await cluster.emit(ALICE, 'notification', message);
      expect(await client.next('notification')).toEqual(message);
    });

    row('broadcastToRole', "'admin-notification' (REST: role-notification)", async () => {
      const client = await cluster.connect(CAROL, 'two');
      await cluster.rest('POST /websocket/send-to-role', { role: 'admin', message: 'Hi' });
      expect(await client.next('role-notification')).toMatchObject({ targetRole: 'admin' });
    });

    row('getActiveUsersCount', '', async () => {
      await cluster.connect(ALICE, 'one');
      await cluster.connect(BOB, 'two');
      const { body } = await cluster.rest('GET /websocket/active-users');
      expect(body.count).toBe(2);
    });
  });
});
