import { describe, expect } from 'vitest';
import { ALICE, BOB, CAROL, alice, document, row, timestamp } from '../cluster.js';
import { tokenOf } from '../tokens.js';

document(1, (cluster) => {
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

  describe('patterns (through REST)', () => {
    row('ws:emit:user', '{ userId, event, data }', async () => {
      const client = await cluster.connect(ALICE, 'two');
      const second = await cluster.connect(ALICE, 'one');
      const other = await cluster.connect(BOB, 'two');
      const data = { message: 'Action completed successfully' };
      await cluster.emit(ALICE, 'action:completed', data);
      expect(await client.next('action:completed')).toEqual(data);
      expect(await second.next('action:completed')).toEqual(data);
      await cluster.settled(other, BOB);
      expect(other.has('action:completed')).toBe(false);
    });

    row('ws:emit:user', "event: 'quiz:created'", async () => {
      const client = await cluster.connect(ALICE, 'two');
      const data = { quizId: 7, title: 'Fractions', createdAt: '2024-01-01T12:00:00Z' };
      await cluster.emit(ALICE, 'quiz:created', data);
      expect(await client.next('quiz:created')).toEqual(data);
    });

    row('ws:emit:users', '{ userIds, event, data }', async () => {
      const one = await cluster.connect(ALICE, 'one');
      const two = await cluster.connect(BOB, 'two');
      const other = await cluster.connect(CAROL, 'two');
      const data = { teamId: 'team123', inviterName: 'John Doe' };
      await cluster.rest('POST /api/gateway/send-many', {
        userIds: ['alice', 'bob', 'user3'],
        event: 'team:invitation',
        message: data,
      });
      expect(await one.next('team:invitation')).toEqual(data);
      expect(await two.next('team:invitation')).toEqual(data);
      await cluster.settled(other, CAROL);
      expect(other.has('team:invitation')).toBe(false);
    });

    row('ws:broadcast', '{ event, data } (REST: broadcast-notification)', async () => {
      const one = await cluster.connect(ALICE, 'one');
      const two = await cluster.connect(BOB, 'two');
      const message = 'System will be under maintenance in 10 minutes';
      await cluster.rest('POST /websocket/broadcast', { message });
      expect(await one.next('broadcast-notification')).toMatchObject({ message });
      expect(await two.next('broadcast-notification')).toMatchObject({ message });
    });

    row('join:room', "ws:emit:user, event: 'join:room', { room }", async () => {
      const client = await cluster.connect(ALICE, 'two');
      const other = await cluster.connect(BOB, 'one');
      await cluster.emit(ALICE, 'join:room', { room: 'quiz:7' });
      expect(await client.next('join:room')).toEqual({ room: 'quiz:7' });
      // Every session of the user, a later one too, until the user is offline.
      const later = await cluster.connect(ALICE, 'one');
      await other.ask('join-room', { room: 'quiz:7' });
      expect(await other.ask('room-message', { room: 'quiz:7', message: 'Go' })).toEqual({
        data: { scope: 'cluster' },
      });
      expect(await client.next('room-message')).toMatchObject({ room: 'quiz:7', message: 'Go' });
      expect(await later.next('room-message')).toMatchObject({ room: 'quiz:7', message: 'Go' });
    });

    row('leave:room', "ws:emit:user, event: 'leave:room', { room }", async () => {
      const client = await cluster.connect(ALICE, 'two');
      const other = await cluster.connect(BOB, 'one');
      await cluster.emit(ALICE, 'join:room', { room: 'quiz:7' });
      await cluster.emit(ALICE, 'leave:room', { room: 'quiz:7' });
      expect(await client.next('leave:room')).toEqual({ room: 'quiz:7' });
      await other.ask('join-room', { room: 'quiz:7' });
      await other.ask('room-message', { room: 'quiz:7', message: 'Go' });
      await cluster.settled(client, ALICE);
      expect(client.has('room-message')).toBe(false);
    });

    row('join:room', 'a room of the server is refused', async () => {
      const client = await cluster.connect(ALICE, 'two');
      for (const room of ['user:bob', 'role:admin', 'private:bob:carol', 'conversation:1']) {
        const answer = await cluster.rest('POST /api/gateway/send', {
          userId: 'alice',
          event: 'join:room',
          message: { room },
        });
        expect(answer).toMatchObject({ status: 403, body: { code: 'room_forbidden' } });
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
});
