import { describe, expect } from 'vitest';
import { ALICE, BOB, CAROL, alice, document, row, timestamp } from '../cluster.js';
import { tokenOf, type Person } from '../tokens.js';

document(4, (cluster) => {
  /** Two members of a room, one on each node, and one who is not in it. */
  async function course(room = 'course:123') {
    const typist = await cluster.connect(ALICE, 'one');
    const member = await cluster.connect(BOB, 'two');
    const outsider = await cluster.connect(CAROL, 'two');
    await typist.ask('join_room', { room, type: 'discussion' });
    await member.ask('join_room', { room, type: 'discussion' });
    return { typist, member, outsider };
  }

  describe('client events', () => {
    row('join_room', '{ room, type }', async () => {
      const client = await cluster.connect(ALICE, 'one');
      const answer = await client.ask('join_room', { room: 'course:123', type: 'discussion' });
      expect(answer).toEqual({
        data: { room: 'course:123', message: expect.any(String) as string },
      });
      expect(await client.next('joined-room')).toEqual(answer.data);
      // join-room and join_room are one action: the room is the same, and joined already.
      const other = await cluster.connect(BOB, 'two');
      await other.ask('join-room', { room: 'course:123' });
      expect(await client.next('user-joined-room')).toMatchObject({ room: 'course:123' });
      await other.ask('join_room', { room: 'course:123', type: 'discussion' });
      await cluster.settled(client, ALICE);
      expect(client.has('user-joined-room')).toBe(false);
    });

    row('leave_room', '{ room }', async () => {
      const { typist, member } = await course();
      const answer = await typist.ask('leave_room', { room: 'course:123' });
      expect(answer).toEqual({
        data: { room: 'course:123', message: expect.any(String) as string },
      });
      expect(await typist.next('left-room')).toEqual(answer.data);
      expect(await member.next('user-left-room')).toEqual({
        user: alice,
        room: 'course:123',
        timestamp,
      });
      await member.ask('room-message', { room: 'course:123', message: 'Gone?' });
      await cluster.settled(typist, ALICE);
      expect(typist.has('room-message')).toBe(false);
    });

    row('typing_start', '{ room, discussionId }', async () => {
      const { typist, member } = await course();
      const typing = { room: 'course:123', discussionId: 'discussion-456' };
      expect(await typist.ask('typing_start', typing)).toEqual({ data: { scope: 'cluster' } });
      expect(await member.next('typing_indicator')).toEqual({
        room: 'course:123',
        discussionId: 'discussion-456',
        userId: 'alice',
        username: 'Alice',
        isTyping: true,
      });
      // A start while typing only lasts longer.
      await typist.ask('typing_start', typing);
      await cluster.settled(member, BOB);
      expect(member.has('typing_indicator')).toBe(false);
    });

    row('typing_start', 'ends by itself 5 s after the last start', async () => {
      const { typist, member } = await course();
      await typist.ask('typing_start', { room: 'course:123' });
      const started = Date.now();
      const typing = { room: 'course:123', userId: 'alice', username: 'Alice' };
      expect(await member.next('typing_indicator')).toEqual({ ...typing, isTyping: true });
      expect(await member.next('typing_indicator')).toEqual({ ...typing, isTyping: false });
      expect(Date.now() - started).toBeGreaterThan(4500);
      expect(Date.now() - started).toBeLessThan(7500);
    });

    row('typing_start', 'in a room one is not in', async () => {
      const { member, outsider } = await course();
      expect(await outsider.ask('typing_start', { room: 'course:123' })).toEqual({
        error: { message: 'Join the room first', code: 'not_in_room', retryable: false },
      });
      await cluster.settled(member, BOB);
      expect(member.has('typing_indicator')).toBe(false);
    });

    row('typing_stop', '{ room, discussionId }', async () => {
      const { typist, member } = await course();
      const typing = { room: 'course:123', discussionId: 'discussion-456' };
      await typist.ask('typing_start', typing);
      await member.next('typing_indicator');
      expect(await typist.ask('typing_stop', typing)).toEqual({ data: { scope: 'cluster' } });
      expect(await member.next('typing_indicator')).toEqual({
        room: 'course:123',
        discussionId: 'discussion-456',
        userId: 'alice',
        username: 'Alice',
        isTyping: false,
      });
    });
  });

  describe('server events', () => {
    row('connected', 'connection established', async () => {
      const client = cluster.client('two', { auth: { token: await tokenOf(ALICE) } });
      expect(await client.next('connected')).toEqual({
        message: 'Successfully connected to WebSocket',
        userId: 'alice',
        socketId: client.socket.id,
        user: alice,
        timestamp,
        recovered: false,
      });
    });

    // What the document's services send, with its own payloads, passes as sent.
    const sent: [event: string, payload: unknown][] = [
      [
        'notification',
        {
          type: 'COURSE_UPDATE',
          title: 'New Lesson Available',
          message: 'A new lesson has been added to your course',
          data: { courseId: 'course-456' },
        },
      ],
      [
        'discussion_message',
        {
          id: 'msg-456',
          discussionId: 'discussion-789',
          userId: 'user-123',
          content: 'Great question!',
          timestamp: '2026-02-07T10:00:00.000Z',
        },
      ],
      [
        'discussion_reaction',
        {
          discussionId: 'discussion-789',
          userId: 'user-123',
          reaction: '👍',
          timestamp: '2026-02-07T10:00:00.000Z',
        },
      ],
      [
        'live_session_event',
        {
          sessionId: 'live-session-456',
          type: 'user_joined',
          userId: 'user-123',
          data: { userName: 'John Doe' },
        },
      ],
      [
        'course_announcement',
        {
          courseId: 'course-123',
          title: 'New Assignment Posted',
          message: 'Check out the new assignment in Module 3',
          instructorId: 'instructor-456',
          timestamp: '2026-02-07T10:00:00.000Z',
        },
      ],
      [
        'course_update',
        {
          courseId: 'course-123',
          type: 'new_lesson',
          title: 'New Lesson Available',
          message: 'Module 4: Advanced Topics is now available',
          data: { lessonId: 'lesson-789' },
          timestamp: '2026-02-07T10:00:00.000Z',
        },
      ],
      ['private_message', { from: 'user-123', content: 'Hello' }],
      ['system_announcement', { title: 'System Maintenance', message: 'Tonight' }],
    ];
    for (const [event, payload] of sent) {
      row(event, 'sent by a service to one user and to many', async () => {
        const one = await cluster.connect(ALICE, 'two');
        const many = await cluster.connect(BOB, 'two');
        await cluster.emit(ALICE, event, payload);
        expect(await one.next(event)).toEqual(payload);
        await cluster.settled(many, BOB);
        expect(many.has(event)).toBe(false);
        const body = { userIds: ['alice', 'bob'], event, message: payload };
        expect((await cluster.rest('POST /api/gateway/send-many', body)).status).toBe(200);
        expect(await one.next(event)).toEqual(payload);
        expect(await many.next(event)).toEqual(payload);
      });
    }

    row('user_presence', 'first session and last gone', async () => {
      const witness = await cluster.connect(ALICE, 'one');
      const person = await cluster.connect(BOB, 'two');
      expect(await witness.next('user_presence')).toEqual({
        userId: 'bob',
        status: 'online',
        timestamp,
      });
      await cluster.settled(person, BOB);
      expect(person.has('user_presence')).toBe(false);
      person.close();
      expect(await witness.next('user_presence')).toEqual({
        userId: 'bob',
        status: 'offline',
        timestamp,
      });
    });

    row('typing_indicator', 'to the others in the room', async () => {
      const { typist, member, outsider } = await course();
      typist.socket.emit('typing_start', { room: 'course:123', discussionId: 'discussion-456' });
      expect(await member.next('typing_indicator')).toEqual({
        room: 'course:123',
        discussionId: 'discussion-456',
        userId: 'alice',
        username: 'Alice',
        isTyping: true,
      });
      await cluster.settled(typist, ALICE);
      await cluster.settled(outsider, CAROL);
      expect(typist.has('typing_indicator')).toBe(false);
      expect(outsider.has('typing_indicator')).toBe(false);
    });

    row('typing_indicator', 'ends when the session ends', async () => {
      const { typist, member } = await course();
      await typist.ask('typing_start', { room: 'course:123' });
      expect(await member.next('typing_indicator')).toMatchObject({ isTyping: true });
      typist.close();
      expect(await member.next('typing_indicator', 3000)).toMatchObject({ isTyping: false });
    });
  });

  describe('usage', () => {
    row('join_room', 'and typing_start, typing_stop right after it, without waiting', async () => {
      const member = await cluster.connect(BOB, 'one');
      await member.ask('join_room', { room: 'course:123', type: 'discussion' });
      const { socket } = await cluster.connect(ALICE, 'two');
      const typing = { room: 'course:123', discussionId: 'discussion-456' };
      socket.emit('join_room', { room: 'course:123', type: 'discussion' });
      socket.emit('typing_start', typing);
      socket.emit('typing_stop', typing);
      expect(await member.next('typing_indicator')).toMatchObject({ isTyping: true });
      expect(await member.next('typing_indicator')).toMatchObject({ isTyping: false });
    });
  });

  describe('room naming convention', () => {
    row('user:{userId}', 'joined by itself, by nobody else', async () => {
      const client = await cluster.connect(ALICE, 'two');
      const other = await cluster.connect(BOB, 'one');
      await cluster.emit(ALICE, 'notification', { title: 'For Alice' });
      expect(await client.next('notification')).toEqual({ title: 'For Alice' });
      for (const event of ['join_room', 'join-room', 'leave_room', 'leave-room'])
        expect(await other.ask(event, { room: 'user:alice' })).toEqual({
          error: { message: 'Not allowed in this room', code: 'room_forbidden', retryable: false },
        });
      expect(await client.ask('room-message', { room: 'user:alice', message: 'x' })).toMatchObject({
        error: { code: 'room_forbidden' },
      });
    });

    for (const room of ['course:123', 'discussion:456', 'live-session:456'])
      row(room.replace(/\d+/, '{id}'), 'joined by anyone', async () => {
        const { typist, member } = await course(room);
        await typist.ask('room-message', { room, message: 'Hello' });
        expect(await member.next('room-message')).toMatchObject({ room, message: 'Hello' });
      });

    row('private:{userId1}:{userId2}', 'joined by the two users only', async () => {
      const one = await cluster.connect(ALICE, 'one');
      const two = await cluster.connect(BOB, 'two');
      const third = await cluster.connect(CAROL, 'two');
      const joined = await one.ask('join_room', { room: 'private:alice:bob' });
      expect(joined).toMatchObject({ data: { room: 'private:alice:bob' } });
      // The other order names the same room.
      await two.ask('join_room', { room: 'private:bob:alice' });
      expect(await one.next('user-joined-room')).toMatchObject({ room: 'private:alice:bob' });
      await two.ask('room-message', { room: 'private:bob:alice', message: 'Hello' });
      expect(await one.next('room-message')).toMatchObject({ message: 'Hello' });
      for (const room of ['private:alice:bob', 'private:bob:alice'])
        expect(await third.ask('join_room', { room })).toMatchObject({
          error: { code: 'room_forbidden' },
        });
    });
  });

  describe('authentication', () => {
    row('auth.token', 'in the handshake', async () => {
      const client = cluster.client('two', { auth: { token: await tokenOf(ALICE) } });
      expect(await client.next('connected')).toMatchObject({ userId: 'alice' });
    });
  });

  describe('error handling', () => {
    row('error', 'a refused event', async () => {
      const client = await cluster.connect(ALICE, 'two');
      client.socket.emit('join_room', { room: 'private:bob:carol' });
      expect(await client.next('error')).toEqual({
        message: 'Not allowed in this room',
        code: 'room_forbidden',
        retryable: false,
        event: 'join_room',
      });
    });

    row('connect_error', 'a refused connection', async () => {
      const client = cluster.client('two', { auth: { token: 'your-jwt-token' } });
      const error = (await client.life('connect_error')) as Error;
      expect(error).toBeInstanceOf(Error);
      expect(error.message).toBe('Authentication failed');
    });
  });

  describe('notifications (through REST)', () => {
    row('createBulkNotifications', 'to each its own', async () => {
      const people: Person[] = [{ id: 'user-1' }, { id: 'user-2' }];
      const clients = await Promise.all(people.map((person) => cluster.connect(person, 'two')));
      for (const person of people)
        await cluster.emit(person, 'notification', { title: `For ${person.id}` });
      for (const [index, client] of clients.entries()) {
        const title = `For user-${index + 1}`;
        expect(await client.next('notification')).toEqual({ title });
        expect(client.has('notification')).toBe(false);
      }
    });
  });
});
