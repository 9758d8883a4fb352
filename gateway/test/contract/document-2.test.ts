import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Emitter } from '@streamgate/emitter';
import { chatEvents, type ChatEvents } from '@streamgate/emitter/documents/chat';
import { describe, expect, test } from 'vitest';
import { Address } from '../../../emitter/src/address.js';
import { ANN, BEN, CIA, chatDocument } from '../chat-cluster.js';
import { row, timestamp } from '../cluster.js';
import { tokenOf } from '../tokens.js';

const root = new URL('../../../', import.meta.url);
const number = expect.any(Number) as number;
const text = expect.any(String) as string;

chatDocument((cluster) => {
  const hello = (conversation_id: number) => ({
    sender_id: 1,
    conversation_id,
    message_type: 'text',
    content: 'Hello!',
  });

  describe('connecting', () => {
    row('query.userId', "1, beside that user's token", async () => {
      const auth = { token: await tokenOf(ANN) };
      const client = cluster.client('one', { auth, query: { userId: '1' } });
      expect(await client.next('connected')).toMatchObject({ userId: '1' });
    });

    row('query.userId', '2, beside the token of user 1, and a token that is none', async () => {
      const auth = { token: await tokenOf(ANN) };
      const wrong = cluster.client('one', { auth, query: { userId: '2' } });
      expect(await wrong.life('connect_error')).toMatchObject({
        data: { code: 'user_mismatch', retryable: false },
      });
      const nobody = cluster.client('one', { query: { userId: '1' } });
      expect(await nobody.life('connect_error')).toMatchObject({
        message: 'Authentication failed',
        data: { code: 'authentication_failed', retryable: false },
      });
    });
  });

  describe('client events', () => {
    row('send-message', '{ sender_id, conversation_id, message_type, content }', async () => {
      const { id, clients } = await cluster.joined(ANN, BEN);
      const [ann, ben] = clients as [(typeof clients)[0], (typeof clients)[0]];
      const { data } = await ann.ask('send-message', hello(id));
      expect(data).toEqual({
        ...hello(id),
        id: number,
        seq: 1,
        created_at: timestamp,
        updated_at: timestamp,
      });
      expect(await ann.next('message-sent')).toEqual(data);
      expect(await ann.next('receive-message')).toEqual(data);
      expect(await ben.next('receive-message')).toEqual(data);
      const { body } = await cluster.as(BEN, `GET /v1/conversations/${id}/messages`);
      expect(body).toEqual({ messages: [data] });
    });

    row('send-message', 'text stays text', async () => {
      const { id, clients } = await cluster.joined(ANN, BEN);
      const content = '<script>alert(1)</script> \u202e %s \\ " \' 😀';
      clients[0]!.socket.emit('send-message', { ...hello(id), content });
      expect(await clients[1]!.next('receive-message')).toMatchObject({ content });
    });

    row('send-message', 'as somebody else', async () => {
      const { id, clients } = await cluster.joined(ANN, BEN);
      const answer = await clients[1]!.ask('send-message', {
        ...hello(id),
        client_message_id: 'a',
      });
      expect(answer.error).toMatchObject({ code: 'user_mismatch', retryable: false });
      expect(await clients[1]!.next('message-error')).toEqual({
        error: text,
        code: 'user_mismatch',
        retryable: false,
        client_message_id: 'a',
      });
      expect(clients[1]!.has('error')).toBe(false);
    });

    row('send-message', 'in a conversation that is not theirs, or is none', async () => {
      const id = await cluster.conversation(BEN, CIA);
      const ann = await cluster.connect(ANN);
      for (const conversation of [id, 999_999]) {
        ann.socket.emit('send-message', hello(conversation));
        expect(await ann.next('message-error')).toMatchObject({ code: 'conversation_not_found' });
      }
    });

    row('send-message', 'again under its client_message_id: once', async () => {
      const { id, clients } = await cluster.joined(ANN, BEN);
      const message = { ...hello(id), client_message_id: 'mine' };
      const first = await clients[0]!.ask('send-message', message);
      const again = await clients[0]!.ask('send-message', message);
      expect(again).toEqual(first);
      await clients[0]!.ask('send-message', hello(id));
      expect(await clients[1]!.next('receive-message')).toMatchObject({ seq: 1 });
      expect(await clients[1]!.next('receive-message')).toMatchObject({ seq: 2 });
    });

    row('send-message', 'an image with { url, name, mime, size }', async () => {
      const { id, clients } = await cluster.joined(ANN, BEN);
      const attachment = {
        url: 'https://files.example.com/1.png',
        name: '1.png',
        mime: 'image/png',
        size: 1024,
      };
      const message = { conversation_id: id, message_type: 'image', attachment };
      await clients[0]!.ask('send-message', message);
      expect(await clients[1]!.next('receive-message')).toMatchObject({ ...message, content: '' });
      const url = 'javascript:alert(1)';
      const refused = { ...message, attachment: { ...attachment, url } };
      expect((await clients[0]!.ask('send-message', refused)).error).toMatchObject({
        code: 'attachment_refused',
      });
    });

    row('join-conversation', '{ conversationId, userId }', async () => {
      const id = await cluster.conversation(ANN, BEN, CIA);
      const ben = await cluster.connect(BEN, 'two');
      const answer = await ben.ask('join-conversation', { conversationId: id, userId: 2 });
      expect(answer.data).toEqual({ conversationId: id, success: true, lastSeq: 0 });
      expect(await ben.next('joined-conversation')).toEqual(answer.data);
    });

    row('join-conversation', 'with since: exactly what was missed, then what comes', async () => {
      const { id, clients } = await cluster.joined(ANN, BEN);
      for (let n = 1; n <= 3; n++) await clients[0]!.ask('send-message', hello(id));
      const back = await cluster.connect(BEN, 'two');
      await back.ask('join-conversation', { conversationId: id, since: 1 });
      await clients[0]!.ask('send-message', hello(id));
      const seqs = [];
      for (let n = 0; n < 3; n++) seqs.push((await back.next('receive-message')).seq);
      expect(seqs).toEqual([2, 3, 4]);
    });

    row('join-conversation', 'of others, or as somebody else', async () => {
      const id = await cluster.conversation(BEN, CIA);
      const ann = await cluster.connect(ANN);
      const answer = await ann.ask('join-conversation', { conversationId: id, userId: 1 });
      expect(answer.error).toMatchObject({ code: 'conversation_not_found', retryable: false });
      expect(await ann.next('joined-conversation')).toEqual({ conversationId: id, success: false });
      expect(await ann.next('error')).toMatchObject({
        code: 'conversation_not_found',
        event: 'join-conversation',
      });
      await ann.ask('join-conversation', { conversationId: id, userId: 2 });
      expect(await ann.next('error')).toMatchObject({ code: 'user_mismatch' });
    });

    row('leave-conversation', '{ conversationId }', async () => {
      const { id, clients } = await cluster.joined(ANN, BEN);
      const [ann, ben] = clients as [(typeof clients)[0], (typeof clients)[0]];
      const answer = await ben.ask('leave-conversation', { conversationId: id });
      expect(await ben.next('left-conversation')).toEqual(answer.data);
      await ann.ask('send-message', hello(id));
      await cluster.settled(ben, BEN);
      expect(ben.has('receive-message')).toBe(false);
    });

    row('typing', '{ conversationId, userId, isTyping }', async () => {
      const { id, clients } = await cluster.joined(ANN, BEN);
      const [ann, ben] = clients as [(typeof clients)[0], (typeof clients)[0]];
      const typing = { conversationId: id, userId: 1, isTyping: true };
      expect(await ann.ask('typing', typing)).toEqual({ data: { scope: 'cluster' } });
      expect(await ben.next('user-typing')).toEqual(typing);
      await ann.ask('typing', { ...typing, isTyping: false });
      expect(await ben.next('user-typing')).toEqual({ ...typing, isTyping: false });
      expect(ann.has('user-typing')).toBe(false);
    });

    row('typing', 'in a conversation that one has not joined', async () => {
      const id = await cluster.conversation(ANN, BEN);
      const ann = await cluster.connect(ANN);
      const typing = { conversationId: id, userId: 1, isTyping: true };
      expect((await ann.ask('typing', typing)).error).toMatchObject({
        code: 'not_in_conversation',
      });
    });
  });

  describe('server events', () => {
    row('receive-message', 'in one order, without gaps, from several senders', async () => {
      const { id, clients } = await cluster.joined(ANN, BEN, CIA);
      const send = (index: number) =>
        clients[index]!.ask('send-message', { conversation_id: id, content: `of ${index}` });
      await Promise.all([0, 1, 2, 0, 1, 2, 0, 1, 2].map(send));
      for (const client of clients) {
        const seqs = [];
        for (let n = 0; n < 9; n++) seqs.push((await client.next('receive-message')).seq);
        expect(seqs).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
      }
    });

    row('message-sent', 'what was kept, to the sender alone', async () => {
      const { id, clients } = await cluster.joined(ANN, BEN);
      clients[0]!.socket.emit('send-message', hello(id));
      const sent = await clients[0]!.next('message-sent');
      expect(sent).toMatchObject({ ...hello(id), seq: 1 });
      expect(await clients[1]!.next('receive-message')).toEqual(sent);
      expect(clients[1]!.has('message-sent')).toBe(false);
    });

    row('message-error', '{ error }, with code and retryable', async () => {
      const ann = await cluster.connect(ANN);
      ann.socket.emit('send-message', { sender_id: 1, message_type: 'text', content: 'x' });
      expect(await ann.next('message-error')).toEqual({
        error: text,
        code: 'invalid_payload',
        retryable: false,
      });
    });

    row('joined-conversation', '{ conversationId, success }', async () => {
      const { id, clients } = await cluster.joined(ANN, BEN);
      expect(await clients[0]!.next('joined-conversation')).toMatchObject({
        conversationId: id,
        success: true,
      });
    });

    row('user-typing', '{ conversationId, userId, isTyping }, ends with leaving', async () => {
      const { id, clients } = await cluster.joined(ANN, BEN);
      await clients[1]!.ask('typing', { conversationId: id, isTyping: true });
      await clients[1]!.ask('leave-conversation', { conversationId: id });
      const typing = { conversationId: id, userId: 2 };
      expect(await clients[0]!.next('user-typing')).toEqual({ ...typing, isTyping: true });
      expect(await clients[0]!.next('user-typing')).toEqual({ ...typing, isTyping: false });
    });

    row('user:online', '{ userId }, to those who share a conversation', async () => {
      await cluster.conversation(ANN, BEN);
      const ann = await cluster.connect(ANN, 'one');
      const cia = await cluster.connect({ id: '99' }, 'one');
      await cluster.connect(BEN, 'two');
      expect(await ann.next('user:online')).toEqual({ userId: 2 });
      await cluster.settled(cia, { id: '99' });
      expect(cia.has('user:online')).toBe(false);
    });

    row('user:online', '{ userId }, of each who is there already, at connect', async () => {
      await cluster.conversation(ANN, BEN);
      await cluster.connect(ANN, 'one');
      const ben = await cluster.connect(BEN, 'two');
      expect(await ben.next('user:online')).toEqual({ userId: 1 });
    });

    row('user:offline', '{ userId }, when the last session is gone', async () => {
      await cluster.conversation(ANN, BEN);
      const ann = await cluster.connect(ANN, 'one');
      const first = await cluster.connect(BEN, 'two');
      const second = await cluster.connect(BEN, 'one');
      await ann.next('user:online');
      first.close();
      second.close();
      expect(await ann.next('user:offline')).toEqual({ userId: 2 });
      expect(ann.has('user:offline')).toBe(false);
    });

    row('user:offline', 'of a lost transport after STREAMGATE_OFFLINE_SECONDS', async () => {
      await cluster.conversation(ANN, BEN);
      const ann = await cluster.connect(ANN, 'one');
      const ben = await cluster.connect(BEN, 'two', { reconnection: false });
      await ann.next('user:online');
      const lost = performance.now();
      ben.socket.io.engine.close();
      expect(await ann.next('user:offline')).toEqual({ userId: 2 });
      expect(performance.now() - lost).toBeGreaterThan(900);
    });

    row('error', '{ message }, with code, retryable and event', async () => {
      const ann = await cluster.connect(ANN);
      ann.socket.emit('typing', {});
      expect(await ann.next('error')).toEqual({
        message: text,
        code: 'invalid_payload',
        retryable: false,
        event: 'typing',
      });
    });

    row('connected', 'the greeting of all documents', async () => {
      const client = cluster.client('two', { auth: { token: await tokenOf(BEN) } });
      expect(await client.next('connected')).toMatchObject({
        message: 'Successfully connected to WebSocket',
        userId: '2',
        user: { id: '2', username: 'Ben', roles: [] },
        recovered: false,
      });
    });
  });

  describe('added: receipts, changes, reactions, status', () => {
    /** Ann has said something to Ben, who has received it. */
    async function said() {
      const { id, clients } = await cluster.joined(ANN, BEN);
      const [ann, ben] = clients as [(typeof clients)[0], (typeof clients)[0]];
      const { data: message } = await ann.ask('send-message', hello(id));
      for (const client of [ann, ben]) await client.next('receive-message');
      const act = { conversation_id: id, message_id: message.id as number };
      return { id, ann, ben, message, act, told: { ...act, user_id: 2, seq: 1, timestamp } };
    }

    row('message-delivered', '{ conversation_id, message_id }, to the others', async () => {
      const { ann, ben, act, told } = await said();
      await ben.ask('message-delivered', act);
      expect(await ann.next('message-delivered')).toEqual(told);
      await ben.ask('message-delivered', act);
      await cluster.settled(ann, ANN);
      expect(ann.has('message-delivered')).toBe(false);
    });

    row('message-read', '{ conversation_id, message_id }: up to this one', async () => {
      const { ann, ben, act, told } = await said();
      await ben.ask('message-read', act);
      expect(await ann.next('message-read')).toEqual(told);
    });

    row('unread-counts', 'at connect, and to all devices when that changes', async () => {
      const { id, ben, act } = await said();
      const phone = await cluster.connect(BEN, 'one');
      const counts = (unread: number) => ({
        conversations: expect.arrayContaining([{ conversationId: id, unread }]) as unknown[],
      });
      expect(await phone.next('unread-counts')).toEqual(counts(1));
      await ben.next('unread-counts');
      await ben.ask('message-read', act);
      for (const client of [ben, phone])
        expect(await client.next('unread-counts')).toEqual(counts(0));
    });

    row('edit-message', '{ message_id, content }, by the sender only', async () => {
      const { ann, ben, act } = await said();
      const { message_id } = act;
      const refused = await ben.ask('edit-message', { message_id, content: 'Mine' });
      expect(refused.error).toMatchObject({ code: 'message_not_found' });
      const { data } = await ann.ask('edit-message', { message_id, content: 'Hi!' });
      expect(data).toMatchObject({ id: message_id, content: 'Hi!', seq: 1 });
    });

    row('message-updated', 'to all who have joined', async () => {
      const { ann, ben, message } = await said();
      await ann.ask('edit-message', { message_id: message.id, content: 'Hi!' });
      const updated = { ...message, content: 'Hi!', updated_at: timestamp };
      for (const client of [ann, ben])
        expect(await client.next('message-updated')).toEqual(updated);
    });

    row('delete-message', '{ message_id }, by the sender only; its number stays', async () => {
      const { id, ann, ben, act } = await said();
      const { message_id } = act;
      const refused = await ben.ask('delete-message', { message_id });
      expect(refused.error).toMatchObject({ code: 'message_not_found' });
      await ann.ask('delete-message', { message_id });
      const { body } = await cluster.as(BEN, `GET /v1/conversations/${id}/messages`);
      expect(body.messages).toMatchObject([{ id: message_id, seq: 1, content: '' }]);
    });

    row('message-deleted', 'to all who have joined', async () => {
      const { ann, ben, message } = await said();
      await ann.ask('delete-message', { message_id: message.id });
      for (const client of [ann, ben])
        expect(await client.next('message-deleted')).toMatchObject({
          id: message.id,
          content: '',
          deleted_at: timestamp,
        });
    });

    for (const [asked, told] of [
      ['add-reaction', 'reaction-added'],
      ['remove-reaction', 'reaction-removed'],
    ] as const) {
      const reaction = '👍';
      row(asked, '{ message_id, reaction }', async () => {
        const { ben, act, told: wanted } = await said();
        const { message_id } = act;
        await ben.ask('add-reaction', { message_id, reaction });
        const { data } = await ben.ask(asked, { message_id, reaction });
        expect(data).toEqual({ ...wanted, reaction });
      });
      row(told, 'to all who have joined', async () => {
        const { ann, ben, act, told: wanted } = await said();
        const { message_id } = act;
        await ben.ask('add-reaction', { message_id, reaction });
        await ben.ask(asked, { message_id, reaction });
        for (const client of [ann, ben])
          expect(await client.next(told)).toEqual({ ...wanted, reaction });
      });
    }

    row('set-status', '{ status }', async () => {
      await cluster.conversation(ANN, BEN);
      const ann = await cluster.connect(ANN, 'one');
      expect(await ann.ask('set-status', { status: 'busy' })).toEqual({
        data: { userId: 1, status: 'busy' },
      });
      await ann.ask('set-status', { status: 'online' });
    });

    row('user:status', '{ userId, status }, to those who share a conversation', async () => {
      await cluster.conversation(ANN, BEN);
      const ann = await cluster.connect(ANN, 'one');
      const ben = await cluster.connect(BEN, 'two');
      await ben.ask('set-status', { status: 'away' });
      expect(await ann.next('user:status')).toEqual({ userId: 2, status: 'away' });
      await ben.ask('set-status', { status: 'online' });
    });

    row('left-conversation', '{ conversationId, success }', async () => {
      const { id, clients } = await cluster.joined(ANN, BEN);
      await clients[0]!.ask('leave-conversation', { conversationId: id });
      expect(await clients[0]!.next('left-conversation')).toEqual({
        conversationId: id,
        success: true,
      });
    });
  });

  describe('added: conversations', () => {
    row('POST /v1/conversations', '{ kind, members, title }', async () => {
      const wanted = { kind: 'group', members: [2, '3'], title: 'Trip' };
      const { status, headers, body } = await cluster.as(ANN, 'POST /v1/conversations', wanted);
      expect(status).toBe(201);
      expect(headers.get('location')).toBe(`/v1/conversations/${body.id}`);
      expect(body).toMatchObject({ kind: 'group', title: 'Trip', created_by: 1, last_seq: 0 });
      const roles = body.members.map(({ user_id, role }: Record<string, unknown>) => [
        user_id,
        role,
      ]);
      expect(new Map(roles)).toEqual(
        new Map([
          [1, 'owner'],
          [2, 'member'],
          [3, 'member'],
        ]),
      );
    });

    row('POST /v1/conversations', 'a direct one: unique for a pair', async () => {
      const first = await cluster.as(CIA, 'POST /v1/conversations', { members: [77] });
      const again = await cluster.as({ id: '77' }, 'POST /v1/conversations', { members: [3] });
      expect([first.status, again.status, again.body.id]).toEqual([201, 200, first.body.id]);
    });

    row('conversation-created', 'to its members', async () => {
      const ben = await cluster.connect(BEN, 'two');
      const cia = await cluster.connect(CIA, 'one');
      const { body } = await cluster.as(ANN, 'POST /v1/conversations', {
        kind: 'group',
        members: [2],
      });
      expect(await ben.next('conversation-created')).toEqual(body);
      await cluster.settled(cia, CIA);
      expect(cia.has('conversation-created')).toBe(false);
    });

    row('GET /v1/conversations', 'with the last message and unread, by page', async () => {
      const { id, clients } = await cluster.joined(ANN, { id: '78' });
      const { data } = await clients[0]!.ask('send-message', hello(id));
      const last = await cluster.as({ id: '78' }, 'GET /v1/conversations?limit=1');
      expect(last.body).toMatchObject({
        conversations: [{ id, unread: 1, last_message: data, last_seq: 1 }],
        count: 1,
      });
    });

    row('GET /v1/conversations/:id', 'members, and who of them is online', async () => {
      const { id } = await cluster.joined(ANN, BEN);
      const group = await cluster.as(BEN, `GET /v1/conversations/${id}`);
      expect(group.body.members).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ user_id: 1, online: true }),
          expect.objectContaining({ user_id: 2, online: true }),
        ]),
      );
    });

    row('GET /v1/conversations/:id', 'not for others', async () => {
      const id = await cluster.conversation(ANN, BEN);
      const requests = [
        `GET /v1/conversations/${id}`,
        `GET /v1/conversations/${id}/messages`,
        `PUT /v1/conversations/${id}/members/3`,
        `DELETE /v1/conversations/${id}/members/3`,
      ];
      for (const request of requests)
        expect(await cluster.as(CIA, request)).toMatchObject({
          status: 404,
          body: { code: 'conversation_not_found', retryable: false },
        });
    });

    row('PATCH /v1/conversations/:id', '{ title }', async () => {
      const id = await cluster.conversation(ANN, BEN, CIA);
      const path = `PATCH /v1/conversations/${id}`;
      expect(await cluster.as(BEN, path, { title: 'Hanoi' })).toMatchObject({
        status: 200,
        body: { id, title: 'Hanoi' },
      });
    });

    row('conversation-updated', 'to its members', async () => {
      const id = await cluster.conversation(ANN, BEN, CIA);
      const cia = await cluster.connect(CIA, 'two');
      const { body } = await cluster.as(ANN, `PATCH /v1/conversations/${id}`, { title: 'Hue' });
      expect(await cia.next('conversation-updated')).toEqual(body);
    });

    row('PUT /v1/conversations/:id/members/:userId', 'by any member', async () => {
      const { id } = await cluster.joined(ANN, BEN);
      expect(await cluster.as(BEN, `PUT /v1/conversations/${id}/members/3`)).toMatchObject({
        status: 200,
        body: { conversation_id: id, user_id: 3, member: true },
      });
      expect((await cluster.as(CIA, `GET /v1/conversations/${id}`)).status).toBe(200);
      const direct = await cluster.conversation(ANN, BEN);
      expect(await cluster.as(BEN, `PUT /v1/conversations/${direct}/members/3`)).toMatchObject({
        status: 409,
        body: { code: 'conversation_fixed' },
      });
    });

    row('member-added', 'to all members, and conversation-created to the new one', async () => {
      const { id, clients } = await cluster.joined(ANN, BEN);
      const cia = await cluster.connect(CIA, 'two');
      await cluster.as(ANN, `PUT /v1/conversations/${id}/members/3`);
      const change = { conversationId: id, userId: 3, by: 1, timestamp };
      for (const client of [...clients, cia])
        expect(await client.next('member-added')).toEqual(change);
      expect(await cia.next('conversation-created')).toMatchObject({ id });
    });

    row('DELETE /v1/conversations/:id/members/:userId', 'by the owner, or oneself', async () => {
      const id = await cluster.conversation(ANN, BEN, CIA);
      const remove = (person: typeof ANN, userId: number) =>
        cluster.as(person, `DELETE /v1/conversations/${id}/members/${userId}`);
      expect(await remove(BEN, 3)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
      expect(await remove(ANN, 3)).toMatchObject({ status: 200, body: { member: false } });
      expect(await remove(BEN, 2)).toMatchObject({ status: 200, body: { member: false } });
    });

    row('member-removed', 'and its sessions have left, on all nodes', async () => {
      const { id, clients } = await cluster.joined(ANN, BEN);
      const [ann, ben] = clients as [(typeof clients)[0], (typeof clients)[0]];
      await cluster.as(ANN, `DELETE /v1/conversations/${id}/members/2`);
      const change = { conversationId: id, userId: 2, by: 1, timestamp };
      for (const client of [ann, ben]) expect(await client.next('member-removed')).toEqual(change);
      await ann.ask('send-message', hello(id));
      await ann.next('receive-message');
      await cluster.settled(ben, BEN);
      expect(ben.has('receive-message')).toBe(false);
    });

    row('GET /v1/conversations/:id/messages', 'before, after or since, and limit', async () => {
      const { id, clients } = await cluster.joined(ANN, BEN);
      for (let n = 1; n <= 5; n++) await clients[0]!.ask('send-message', hello(id));
      const page = async (query: string) => {
        const path = `GET /v1/conversations/${id}/messages?${query}`;
        const { body } = await cluster.as(BEN, path);
        return [body.messages.map(({ seq }: { seq: number }) => seq), body.nextCursor];
      };
      expect(await page('limit=2')).toEqual([[4, 5], '4']);
      expect(await page('limit=3&before=4')).toEqual([[1, 2, 3], undefined]);
      expect(await page('limit=2&after=1')).toEqual([[2, 3], '3']);
      expect(await page('since=3')).toEqual([[4, 5], undefined]);
      const both = `GET /v1/conversations/${id}/messages?before=3&after=1`;
      expect((await cluster.as(BEN, both)).status).toBe(400);
    });
  });

  test('docs/chat.md: the client to paste sends and receives', async () => {
    const page = await readFile(new URL('docs/chat.md', root), 'utf8');
    const [client, send] = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, code = '']) => code);
    const program = `const token = '${await tokenOf(ANN)}';\n${client}\n${send}
      socket.once('receive-message', () => process.exit());
      socket.once('joined-conversation', () => send({ conversation_id: id, content: 'pasted' }));`;
    const folder = new URL('.cache/', root);
    const file = new URL(`chat-${cluster.topology}.mjs`, folder);
    await mkdir(folder, { recursive: true });
    await writeFile(file, program.replace('http://localhost:3000', cluster.two.url));
    const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(file)]);
    await rm(file);
    expect(stdout).toBe('1 pasted\n');
  });

  describe('services (EventsService)', () => {
    type Call = (events: ChatEvents, id: number) => Promise<unknown>;

    /** As the SDK writes it to the stream; without Redis, as the REST door takes the same command. */
    async function say(act: Call, id: number): Promise<void> {
      if (cluster.topology === 'memory') {
        const sent: Promise<unknown>[] = [];
        const start = new Address((fields) => {
          const asked = cluster.rest('POST /v1/commands', fields);
          sent.push(asked.then(({ status }) => expect(status).toBe(200)));
          return asked.then(() => ({ id: '', entry: '' }));
        }, {});
        await act(chatEvents(start), id);
        await Promise.all(sent);
        return;
      }
      const emitter = new Emitter({ redis: cluster.redisUrl });
      await act(chatEvents(emitter), id);
      await emitter.close();
    }

    function service(name: string, event: string, payload: (id: number) => object, act: Call) {
      row(name, `${event}, to those concerned`, async () => {
        const { id, clients } = await cluster.joined(ANN, BEN);
        const stranger = await cluster.connect(CIA, 'two');
        await say(act, id);
        expect(await clients[1]!.next(event)).toEqual(payload(id));
        await cluster.settled(stranger, CIA);
        expect(stranger.has(event)).toBe(false);
      });
    }

    const message = (id: number) => ({ ...hello(id), id: 7, by: 'the service' });
    service('emitMessageCreated', 'receive-message', message, (events, id) =>
      events.emitMessageCreated(message(id)),
    );
    service('emitMessageUpdated', 'message-updated', message, (events, id) =>
      events.emitMessageUpdated(message(id)),
    );
    service('emitMessageDeleted', 'message-deleted', message, (events, id) =>
      events.emitMessageDeleted(message(id)),
    );
    const typing = (id: number) => ({ conversationId: id, userId: 1, isTyping: true });
    service('emitTyping', 'user-typing', typing, (events, id) => events.emitTyping(typing(id)));
    const created = (id: number) => ({ id, title: 'of the service' });
    service('emitConversationCreated', 'conversation-created', created, (events, id) =>
      events.emitConversationCreated(created(id), [2]),
    );
  });
});
