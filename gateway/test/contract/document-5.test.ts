import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect } from 'vitest';
import { document, row, timestamp } from '../cluster.js';
import { SERVICE } from '../rest.js';
import { tokenOf, type Person } from '../tokens.js';

const FIRST: Person = { id: '507f1f77bcf86cd799439011' };
const SECOND: Person = { id: '507f1f77bcf86cd799439012' };
const THIRD: Person = { id: '507f1f77bcf86cd799439013' };

document(5, (cluster) => {
  const message = {
    title: 'New Message',
    body: 'You have a new message',
    timestamp: '2026-02-07T10:00:00.000Z',
  };

  describe('authentication', () => {
    row('auth', "{ token: 'your-jwt-access-token' }", async () => {
      const client = cluster.client('two', { auth: { token: await tokenOf(FIRST) } });
      expect(await client.next('connected')).toMatchObject({ userId: FIRST.id });
    });

    row('extraHeaders', "{ Authorization: 'Bearer your-jwt-access-token' }", async () => {
      const extraHeaders = { Authorization: `Bearer ${await tokenOf(FIRST)}` };
      const client = cluster.client('two', { extraHeaders });
      expect(await client.next('connected')).toMatchObject({ userId: FIRST.id });
    });

    row('_id', 'a token with _id in place of sub', async () => {
      const person = { id: '', username: 'Mongo', claims: { sub: undefined, _id: FIRST.id } };
      const client = cluster.client('two', { auth: { token: await tokenOf(person) } });
      expect(await client.next('connected')).toMatchObject({
        userId: FIRST.id,
        user: { id: FIRST.id, username: 'Mongo', roles: [] },
      });
    });
  });

  describe('client events', () => {
    row('message', "{ message: 'Your message here', data: {} }", async () => {
      const client = await cluster.connect(FIRST, 'two');
      const other = await cluster.connect(SECOND, 'two');
      const received = {
        success: true,
        message: 'Message received by server',
        data: { receivedMessage: 'Your message here', timestamp },
      };
      client.socket.emit('message', { message: 'Your message here', data: { custom: 1 } });
      expect(await client.next('messageReceived')).toEqual(received);
      expect(await client.ask('message', { message: 'Your message here' })).toEqual({
        data: received,
      });
      await cluster.settled(other, SECOND);
      expect(other.has('messageReceived')).toBe(false);
    });

    row('message', '{} is refused: it needs a message', async () => {
      const client = await cluster.connect(FIRST, 'two');
      expect(await client.ask('message', { data: {} })).toMatchObject({
        error: { code: 'invalid_payload', retryable: false },
      });
      expect(client.has('messageReceived')).toBe(false);
    });
  });

  describe('server events', () => {
    row('connected', '{ message, userId, socketId }', async () => {
      const client = cluster.client('two', { auth: { token: await tokenOf(FIRST) } });
      const payload = await client.next('connected');
      expect(payload).toMatchObject({
        message: 'Successfully connected to WebSocket',
        userId: '507f1f77bcf86cd799439011',
      });
      expect(payload.socketId).toBe(client.socket.id);
    });

    row(
      'messageReceived',
      '{ success, message, data: { receivedMessage, timestamp } }',
      async () => {
        const client = await cluster.connect(FIRST, 'two');
        for (const text of ['Your message', { any: ['json', 1e21, null] }]) {
          client.socket.emit('message', { message: text });
          expect(await client.next('messageReceived')).toEqual({
            success: true,
            message: 'Message received by server',
            data: { receivedMessage: text, timestamp },
          });
        }
      },
    );

    for (const event of ['notification', 'alert', 'update', 'anything at all'])
      row('custom events', event, async () => {
        const client = await cluster.connect(FIRST, 'two');
        const other = await cluster.connect(SECOND, 'two');
        const payload = {
          message: 'text',
          number: 1e21,
          nested: [{ a: null }],
          text: 'ünï\u0000 👍',
        };
        await cluster.emit(FIRST, event, payload);
        expect(await client.next(event)).toEqual(payload);
        await cluster.settled(other, SECOND);
        expect(other.has(event)).toBe(false);
      });
  });

  describe('messages of any kind', () => {
    for (const any of ['just text', '', 42, 1e21, true, null, [], [[1]], {}, { a: null }])
      row('custom events', `message: ${JSON.stringify(any)}`, async () => {
        const client = await cluster.connect(FIRST, 'two');
        await cluster.emit(FIRST, 'update', any);
        expect(await client.next('update')).toEqual(any);
      });
  });

  describe('REST', () => {
    row('POST /api/gateway/send', '{ userId, event, message }: connected', async () => {
      const client = await cluster.connect(FIRST, 'two');
      const body = { userId: FIRST.id, event: 'notification', message };
      const answer = await cluster.rest('POST /api/gateway/send', body);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({
        success: true,
        message: 'Message sent to user 507f1f77bcf86cd799439011',
      });
      expect(await client.next('notification')).toEqual(message);
    });

    row('POST /api/gateway/send', 'to a user who is not connected', async () => {
      const body = { userId: FIRST.id, event: 'notification', message };
      const answer = await cluster.rest('POST /api/gateway/send', body);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({
        success: false,
        message: 'User 507f1f77bcf86cd799439011 is not connected',
      });
    });

    row('POST /api/gateway/send-many', '{ userIds, event, message }', async () => {
      const clients = [
        await cluster.connect(FIRST, 'one'),
        await cluster.connect(SECOND, 'two'),
        await cluster.connect(THIRD, 'two'),
      ];
      const announcement = { title: 'System Announcement', body: 'Scheduled maintenance tonight' };
      const userIds = [FIRST.id, SECOND.id, THIRD.id];
      const body = { userIds, event: 'announcement', message: announcement };
      const answer = await cluster.rest('POST /api/gateway/send-many', body);
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({
        success: true,
        message: 'Message sent to 3 users',
        userIds,
      });
      for (const client of clients) expect(await client.next('announcement')).toEqual(announcement);
    });

    row('POST /api/gateway/send-many', 'some are not connected', async () => {
      await cluster.connect(FIRST, 'two');
      const body = { userIds: [FIRST.id, SECOND.id], event: 'announcement', message };
      const { body: some } = await cluster.rest('POST /api/gateway/send-many', body);
      expect(some).toMatchObject({
        success: true,
        userIds: [FIRST.id],
        notConnected: [SECOND.id],
      });
      const { status, body: none } = await cluster.rest('POST /api/gateway/send-many', {
        ...body,
        userIds: [SECOND.id, THIRD.id],
      });
      expect(status).toBe(200);
      expect(none).toMatchObject({
        success: false,
        userIds: [],
        notConnected: [SECOND.id, THIRD.id],
      });
    });

    row('GET /api/gateway/status/:userId', '', async () => {
      await cluster.connect(FIRST, 'two');
      const there = await cluster.rest(`GET /api/gateway/status/${FIRST.id}`);
      expect(there).toMatchObject({ status: 200 });
      expect(there.body).toEqual({ userId: FIRST.id, connected: true });
      const absent = await cluster.rest(`GET /api/gateway/status/${SECOND.id}`);
      expect(absent.body).toEqual({ userId: SECOND.id, connected: false });
    });

    row('GET /api/gateway/connected', '', async () => {
      await cluster.connect(FIRST, 'one');
      await cluster.connect(SECOND, 'two');
      const { status, body } = await cluster.rest('GET /api/gateway/connected');
      expect(status).toBe(200);
      expect({ ...body, connectedUsers: body.connectedUsers.sort() }).toEqual({
        connectedUsers: [FIRST.id, SECOND.id],
        count: 2,
      });
    });

    row('GET /api/gateway/connected', '?limit&cursor', async () => {
      for (const person of [FIRST, SECOND, THIRD]) await cluster.connect(person, 'two');
      const first = (await cluster.rest('GET /api/gateway/connected?limit=2')).body;
      expect(first).toMatchObject({ count: 3, nextCursor: expect.any(String) as string });
      const cursor = encodeURIComponent(first.nextCursor);
      const rest = (await cluster.rest(`GET /api/gateway/connected?limit=2&cursor=${cursor}`)).body;
      expect(rest).not.toHaveProperty('nextCursor');
      const all: string[] = [...first.connectedUsers, ...rest.connectedUsers];
      expect(all.toSorted()).toEqual([FIRST.id, SECOND.id, THIRD.id]);
    });

    row('GET /api/gateway/stats', '', async () => {
      await cluster.connect(FIRST, 'one');
      await cluster.connect(SECOND, 'two');
      const { status, body } = await cluster.rest('GET /api/gateway/stats');
      expect(status).toBe(200);
      expect({ ...body, userIds: body.userIds.sort() }).toEqual({
        connectedUsers: 2,
        userIds: [FIRST.id, SECOND.id],
      });
    });

    row('all endpoints', 'Authorization: Bearer <access_token>', async () => {
      for (const endpoint of [
        'POST /api/gateway/send',
        'POST /api/gateway/send-many',
        'GET /api/gateway/status/someone',
        'GET /api/gateway/connected',
        'GET /api/gateway/stats',
      ]) {
        const body = endpoint.startsWith('POST') ? {} : undefined;
        const answer = await cluster.rest(endpoint, body, null);
        expect(answer).toMatchObject({ status: 401, body: { code: 'unauthorized' } });
      }
      const body = { userId: FIRST.id, event: 'notification', message };
      const answer = await cluster.rest('POST /api/gateway/send', body, FIRST);
      expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    });

    row('curl', "the document's own request", async () => {
      const client = await cluster.connect(FIRST, 'two');
      const { stdout } = await promisify(execFile)('curl', [
        '-sS',
        '-XPOST',
        `${cluster.one.url}/api/gateway/send`,
        `-HAuthorization: Bearer ${await tokenOf(SERVICE)}`,
        '-HContent-Type: application/json',
        `-d{
          "userId": "507f1f77bcf86cd799439011",
          "event": "notification",
          "message": {
            "title": "Test",
            "body": "This is a test notification"
          }
        }`,
      ]);
      expect(JSON.parse(stdout)).toMatchObject({ success: true });
      expect(await client.next('notification')).toEqual({
        title: 'Test',
        body: 'This is a test notification',
      });
    });
  });

  describe('flows', () => {
    row('disconnection', 'the user is no longer connected', async () => {
      const client = await cluster.connect(FIRST, 'two');
      const witness = await cluster.connect(SECOND, 'one');
      client.close();
      await witness.next('user-disconnected');
      const { body } = await cluster.rest(`GET /api/gateway/status/${FIRST.id}`);
      expect(body).toEqual({ userId: FIRST.id, connected: false });
    });

    row('no broadcasting', 'users receive only what is meant for them', async () => {
      const client = await cluster.connect(FIRST, 'two');
      const other = await cluster.connect(SECOND, 'two');
      await cluster.emit(FIRST, 'notification', message);
      await client.next('notification');
      await cluster.settled(other, SECOND);
      expect(other.has('notification')).toBe(false);
    });
  });

  describe('error handling', () => {
    row('Authentication failed', 'invalid or missing token', async () => {
      for (const auth of [{ token: 'nonsense' }, {}]) {
        const client = cluster.client('two', { auth });
        expect(await client.life('connect_error')).toMatchObject({
          message: 'Authentication failed',
        });
      }
    });

    row('Connection rejected', 'token expired', async () => {
      const client = cluster.client('two', { auth: { token: await tokenOf(FIRST, -60) } });
      expect(await client.life('connect_error')).toMatchObject({
        data: { code: 'token_expired', retryable: false },
      });
    });
  });
});

document(
  5,
  (cluster) => {
    describe('error handling with STREAMGATE_AUTH_ERROR_EVENT', () => {
      row('error', "{ message: 'Authentication failed' }", async () => {
        for (const auth of [{ token: 'nonsense' }, {}]) {
          const client = cluster.client('two', { auth });
          const gone = client.life('disconnect');
          expect(await client.next('error')).toEqual({
            message: 'Authentication failed',
            code: 'authentication_failed',
            retryable: false,
          });
          expect(await gone).toBe('io server disconnect');
          expect(client.has('connected')).toBe(false);
        }
        const witness = await cluster.connect(FIRST, 'one');
        expect((await witness.ask('get-active-users')).data.count).toBe(1);
      });
    });
  },
  { STREAMGATE_AUTH_ERROR_EVENT: 'true' },
);
