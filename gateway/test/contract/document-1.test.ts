import { type ClientProxy, ClientProxyFactory, Transport } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { ALICE, BOB, CAROL, alice, document, row, timestamp } from '../cluster.js';
import { tokenOf } from '../tokens.js';

document(
  1,
  (cluster) => {
    const connected = {
      message: 'Successfully connected to WebSocket',
      userId: 'alice',
      socketId: expect.any(String) as string,
      user: alice,
      timestamp,
      recovered: false,
    };

    describe('authentication', () => {
      row('auth.token', 'in the handshake', async () => {
        const client = cluster.client('two', { auth: { token: await tokenOf(ALICE) } });
        expect(await client.next('connected')).toEqual(connected);
      });

      row('query.token', 'in the handshake', async () => {
        const client = cluster.client('two', { query: { token: await tokenOf(ALICE) } });
        expect(await client.next('connected')).toEqual(connected);
      });
    });

    describe('client events', () => {
      row('ping', '{} with an ack', async () => {
        const client = await cluster.connect(ALICE, 'two');
        expect(await client.ask('ping', {})).toEqual({ data: { timestamp, data: {} } });
        expect(await client.next('pong')).toEqual({ timestamp, data: {} });
      });

      row('ping', 'nothing, without an ack', async () => {
        const client = await cluster.connect(ALICE, 'two');
        client.socket.emit('ping');
        expect(await client.next('pong')).toEqual({ timestamp });
      });
    });

    describe('server events', () => {
      row('connected', 'when a client connects', async () => {
        const client = cluster.client('two', { auth: { token: await tokenOf(ALICE) } });
        const payload = await client.next('connected');
        expect(payload).toEqual(connected);
        expect(payload.socketId).toBe(client.socket.id);
      });

      row('pong', 'answer to ping', async () => {
        const client = await cluster.connect(ALICE, 'two');
        client.socket.emit('ping', { sent: 1 });
        expect(await client.next('pong')).toEqual({ timestamp, data: { sent: 1 } });
      });
    });

    describe('patterns (TCP)', () => {
      // As in the document; the token and the module around it are Nest's.
      let notificationClient: ClientProxy;
      beforeAll(async () => {
        const { port } = await cluster.one.logged(({ msg }) => msg === 'the TCP door listens');
        const options = { host: '127.0.0.1', port: port as number };
        notificationClient = ClientProxyFactory.create({ transport: Transport.TCP, options });
      });
      afterAll(() => notificationClient.close());

      const send = (pattern: string, payload: object): Promise<unknown> =>
        firstValueFrom(notificationClient.send<unknown>(pattern, payload));

      row('ws:emit:user', '{ userId, event, data }', async () => {
        const client = await cluster.connect(ALICE, 'two');
        const second = await cluster.connect(ALICE, 'one');
        const other = await cluster.connect(BOB, 'two');
        notificationClient.emit('ws:emit:user', {
          userId: 'alice',
          event: 'action:completed',
          data: { message: 'Action completed successfully' },
        });
        const data = { message: 'Action completed successfully' };
        expect(await client.next('action:completed')).toEqual(data);
        expect(await second.next('action:completed')).toEqual(data);
        await cluster.settled(other, BOB);
        expect(other.has('action:completed')).toBe(false);
      });

      row('ws:emit:user', "event: 'quiz:created', as a request", async () => {
        const client = await cluster.connect(ALICE, 'two');
        const data = { quizId: 7, title: 'Fractions', createdAt: '2024-01-01T12:00:00Z' };
        const outcome = await send('ws:emit:user', {
          userId: 'alice',
          event: 'quiz:created',
          data,
        });
        expect(outcome).toEqual({ outcome: 'done', sessions: 1, inboxed: 0 });
        expect(await client.next('quiz:created')).toEqual(data);
      });

      row('ws:emit:users', '{ userIds, event, data }', async () => {
        const one = await cluster.connect(ALICE, 'one');
        const two = await cluster.connect(BOB, 'two');
        const other = await cluster.connect(CAROL, 'two');
        const data = { teamId: 'team123', inviterName: 'John Doe' };
        notificationClient.emit('ws:emit:users', {
          userIds: ['alice', 'bob', 'user3'],
          event: 'team:invitation',
          data,
        });
        expect(await one.next('team:invitation')).toEqual(data);
        expect(await two.next('team:invitation')).toEqual(data);
        await cluster.settled(other, CAROL);
        expect(other.has('team:invitation')).toBe(false);
      });

      row('ws:broadcast', "{ event: 'system:maintenance', data }", async () => {
        const one = await cluster.connect(ALICE, 'one');
        const two = await cluster.connect(BOB, 'two');
        const data = {
          message: 'System will be under maintenance in 10 minutes',
          scheduledAt: '2024-01-01T12:00:00Z',
        };
        notificationClient.emit('ws:broadcast', { event: 'system:maintenance', data });
        expect(await one.next('system:maintenance')).toEqual(data);
        expect(await two.next('system:maintenance')).toEqual(data);
      });

      row(
        'ws:emit:room',
        "{ room, event: 'user:joined', data } right after join:room",
        async () => {
          const player = await cluster.connect(ALICE, 'two');
          const other = await cluster.connect(BOB, 'two');
          notificationClient.emit('ws:emit:user', {
            userId: 'alice',
            event: 'join:room',
            data: { room: 'quiz:7' },
          });
          const joinedAt = new Date();
          notificationClient.emit('ws:emit:room', {
            room: 'quiz:7',
            event: 'user:joined',
            data: { userId: 'alice', joinedAt },
          });
          const data = { userId: 'alice', joinedAt: joinedAt.toISOString() };
          expect(await player.next('join:room')).toEqual({ room: 'quiz:7' });
          expect(await player.next('user:joined')).toEqual(data);
          await cluster.settled(other, BOB);
          expect(other.has('user:joined')).toBe(false);
        },
      );

      row('join:room', "ws:emit:user, event: 'join:room', { room }", async () => {
        const client = await cluster.connect(ALICE, 'two');
        const other = await cluster.connect(BOB, 'one');
        const data = { room: 'quiz:7' };
        await send('ws:emit:user', { userId: 'alice', event: 'join:room', data });
        expect(await client.next('join:room')).toEqual(data);
        // Every session of the user, a later one too, until the user is offline.
        const later = await cluster.connect(ALICE, 'one');
        await other.ask('join-room', data);
        expect(await other.ask('room-message', { ...data, message: 'Go' })).toEqual({
          data: { scope: 'cluster' },
        });
        expect(await client.next('room-message')).toMatchObject({ room: 'quiz:7', message: 'Go' });
        expect(await later.next('room-message')).toMatchObject({ room: 'quiz:7', message: 'Go' });
      });

      row('leave:room', "ws:emit:user, event: 'leave:room', { room }", async () => {
        const client = await cluster.connect(ALICE, 'two');
        const other = await cluster.connect(BOB, 'one');
        const data = { room: 'quiz:7' };
        notificationClient.emit('ws:emit:user', { userId: 'alice', event: 'join:room', data });
        await send('ws:emit:user', { userId: 'alice', event: 'leave:room', data });
        expect(await client.next('leave:room')).toEqual(data);
        await other.ask('join-room', data);
        await other.ask('room-message', { ...data, message: 'Go' });
        await cluster.settled(client, ALICE);
        expect(client.has('room-message')).toBe(false);
      });

      row('join:room', 'a room of the server is refused', async () => {
        const client = await cluster.connect(ALICE, 'two');
        for (const room of ['user:bob', 'role:admin', 'private:bob:carol', 'conversation:1']) {
          const join = { userId: 'alice', event: 'join:room', data: { room } };
          await expect(send('ws:emit:user', join)).rejects.toMatchObject({
            code: 'room_forbidden',
          });
        }
        await cluster.settled(client, ALICE);
        expect(client.has('join:room')).toBe(false);
      });
    });

    describe('scaling', () => {
      row('several instances', 'broadcast for each other', async () => {
        const one = await cluster.connect(ALICE, 'one');
        const two = await cluster.connect(BOB, 'two');
        await two.ask('send-message', { message: 'from two' });
        expect(await one.next('broadcast-message')).toMatchObject({ message: 'from two' });
        await one.ask('send-message', { message: 'from one' });
        await two.next('broadcast-message');
        expect(await two.next('broadcast-message')).toMatchObject({ message: 'from one' });
      });
    });
  },
  { STREAMGATE_TCP_PORT: '0' },
);
