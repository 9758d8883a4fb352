import { describe, expect, test } from 'vitest';
import { CHAT_CLIENT_EVENTS } from '@streamgate/protocol/chat-client-events';
import { ANN, BOB, CARL, ChatNode, say, textsOf } from '../chat-people.js';
import { Client } from '../client.js';
import { timestamp } from '../cluster.js';
import { tokenOf } from '../tokens.js';

const node = new ChatNode({
  STREAMGATE_CHAT_MESSAGES_BURST: '60',
  STREAMGATE_ALLOW_EIO3: 'true',
});
const url = 'https://files.example/1';

describe('connecting', () => {
  test("document 2's userId beside the token", async () => {
    for (const userId of ['1', 1]) await node.connect(ANN, { query: { userId } });
  });

  test('the userId of somebody else', async () => {
    const auth = { token: await tokenOf(ANN) };
    const client = new Client(`${node.url}/chat`, { auth, query: { userId: 2 } });
    expect(await client.life('connect_error')).toMatchObject({
      data: { code: 'user_mismatch', retryable: false },
    });
    client.close();
  });

  test('a userId without a token', async () => {
    const client = new Client(`${node.url}/chat`, { query: { userId: 1 } });
    expect(await client.life('connect_error')).toMatchObject({
      message: 'Authentication failed',
    });
    client.close();
  });

  test.each([2, 3, 4] as const)('a client of version %i chats', async (version) => {
    const id = await node.group(ANN, BOB);
    const ann = await node.connect(ANN);
    await node.join(ann, id);
    const query = { token: await tokenOf(BOB), userId: 2 };
    const old = new Client(`${node.url}/chat`, { version, query });
    expect(await old.next('connected')).toMatchObject({ userId: '2', recovered: false });
    expect(await node.join(old, id)).toBe(0);
    await say(old, id, 'hello');
    for (const client of [ann, old])
      expect(await client.next('receive-message')).toMatchObject({ sender_id: 2 });
    old.close();
  });

  test('a client of version 2 that says it is somebody else', async () => {
    const query = { token: await tokenOf(ANN), userId: 2 };
    const client = new Client(`${node.url}/chat`, { version: 2, query });
    const refusal = new Promise((resolve) => client.socket.once('error' as never, resolve));
    expect(await refusal).toMatchObject({ code: 'user_mismatch', retryable: false });
    client.close();
  });

  test('events of / are not of /chat', async () => {
    const ann = await node.connect(ANN);
    expect(await ann.ask('room-message', {})).toMatchObject({ error: { code: 'unknown_event' } });
  });

  test('a new token', async () => {
    const ann = await node.connect(ANN);
    const { data } = await ann.ask('refresh-token', { token: await tokenOf(ANN) });
    expect(await ann.next('token-refreshed')).toEqual(data);
  });
});

describe('messages', () => {
  test('are kept, confirmed, and received by all who have joined, the sender too', async () => {
    const id = await node.group(ANN, BOB);
    const [ann, bob] = [await node.connect(ANN), await node.connect(BOB)];
    for (const client of [ann, bob]) expect(await node.join(client, id)).toBe(0);
    const message = {
      id: expect.any(Number) as number,
      conversation_id: id,
      sender_id: 1,
      message_type: 'text',
      content: '<script>alert(1)</script>\u2028"\\ 👩‍👩‍👧',
      seq: 1,
      created_at: timestamp,
      updated_at: timestamp,
    };
    const { data } = await ann.ask('send-message', {
      sender_id: 1,
      conversation_id: id,
      message_type: 'text',
      content: message.content,
    });
    expect(data).toEqual(message);
    expect(await ann.next('message-sent')).toEqual(data);
    for (const client of [ann, bob]) expect(await client.next('receive-message')).toEqual(data);
  });

  test('come to nobody who has not joined, or has left', async () => {
    const id = await node.group(ANN, BOB, CARL);
    const [ann, bob, carl] = [
      await node.connect(ANN),
      await node.connect(BOB),
      await node.connect(CARL),
    ];
    await node.join(bob, id);
    await node.join(ann, id);
    expect(await bob.ask('leave-conversation', { conversationId: id })).toEqual({
      data: { conversationId: id, success: true },
    });
    await bob.next('left-conversation');
    await say(ann, id, 'unheard');
    await ann.next('receive-message');
    expect(await node.join(bob, id)).toBe(1);
    await say(ann, id, 'heard');
    expect(await bob.next('receive-message')).toMatchObject({ content: 'heard', seq: 2 });
    expect(carl.has('receive-message')).toBe(false);
  });

  test('sent again under its client_message_id, it is there once', async () => {
    const id = await node.group(ANN, BOB);
    const [ann, bob] = [await node.connect(ANN), await node.connect(BOB)];
    await node.join(bob, id);
    const message = { conversation_id: id, content: 'once', client_message_id: 'c1' };
    const [first, again] = await Promise.all([
      ann.ask('send-message', message),
      ann.ask('send-message', message),
    ]);
    expect(first.data).toMatchObject({ client_message_id: 'c1', seq: 1 });
    expect(again).toEqual(first);
    await say(ann, id, 'next');
    await expect.poll(() => textsOf(bob)).toEqual(['once', 'next']);
  });

  test.each([
    ['somebody else', { sender_id: 2 }, 'user_mismatch'],
    ['no content', { content: '' }, 'invalid_payload'],
    ['too long', { content: 'x'.repeat(10_001) }, 'invalid_payload'],
    ['no conversation', { conversation_id: 999_999 }, 'conversation_not_found'],
    ['nonsense', { conversation_id: 'x' }, 'invalid_payload'],
    [
      'a script for a file',
      {
        message_type: 'file',
        attachment: { url: 'javascript:alert(1)', name: 'x', mime: 'text/plain', size: 1 },
      },
      'attachment_refused',
    ],
  ])('refused: %s', async (_, change, code) => {
    const id = await node.group(ANN, BOB);
    const ann = await node.connect(ANN);
    const message = {
      conversation_id: id,
      content: 'hi',
      client_message_id: 'c1',
      ...change,
    };
    const { error } = await ann.ask('send-message', message);
    expect(error).toMatchObject({ code, retryable: false });
    const { message: text, ...rest } = error!;
    expect(await ann.next('message-error')).toEqual({
      error: text,
      ...rest,
      client_message_id: 'c1',
    });
    expect(ann.has('error')).toBe(false);
  });

  test('of a conversation of others are refused', async () => {
    const id = await node.group(ANN, BOB);
    const carl = await node.connect(CARL);
    const answer = await carl.ask('send-message', { conversation_id: id, content: 'hi' });
    expect(answer.error).toMatchObject({ code: 'conversation_not_found' });
  });

  test('with an image or a file', async () => {
    const id = await node.group(ANN, BOB);
    const [ann, bob] = [await node.connect(ANN), await node.connect(BOB)];
    await node.join(bob, id);
    const attachment = { url, name: 'cat.png', mime: 'image/png', size: 1234 };
    await ann.ask('send-message', { conversation_id: id, message_type: 'image', attachment });
    expect(await bob.next('receive-message')).toMatchObject({ message_type: 'image', attachment });
  });
});

describe('joining', () => {
  test('a conversation of others is refused as document 2 has it', async () => {
    const id = await node.group(ANN, BOB);
    const carl = await node.connect(CARL);
    expect(await carl.ask('join-conversation', { conversationId: id, userId: 3 })).toMatchObject({
      error: { code: 'conversation_not_found' },
    });
    expect(await carl.next('joined-conversation')).toEqual({ conversationId: id, success: false });
    expect(await carl.next('error')).toMatchObject({
      code: 'conversation_not_found',
      event: 'join-conversation',
    });
  });

  test('as somebody else, or nothing, is refused', async () => {
    const id = await node.group(ANN, BOB);
    const ann = await node.connect(ANN);
    expect(await ann.ask('join-conversation', { conversationId: id, userId: 2 })).toMatchObject({
      error: { code: 'user_mismatch' },
    });
    await ann.next('joined-conversation');
    expect(await ann.ask('join-conversation')).toMatchObject({
      error: { code: 'invalid_payload' },
    });
    expect(await ann.next('joined-conversation')).toEqual({ success: false });
  });

  test('with since, exactly what was missed comes before the answer', async () => {
    const id = await node.group(ANN, BOB);
    const [ann, bob] = [await node.connect(ANN), await node.connect(BOB)];
    for (let n = 1; n <= 20; n += 1) await say(ann, id, `m${n}`);
    const saying = Promise.all(Array.from({ length: 10 }, (_, n) => say(ann, id, `live${n}`)));
    const lastSeq = await node.join(bob, id, 5);
    await saying;
    await expect.poll(() => textsOf(bob).length).toBe(25);
    const seqs = bob.all('receive-message').map((message) => (message as { seq: number }).seq);
    expect(seqs).toEqual(Array.from({ length: 25 }, (_, n) => 6 + n));
    expect(lastSeq).toBeGreaterThanOrEqual(20);
  });

  test('megabytes that were missed come at the pace of the client', async () => {
    const writers = ['w1', 'w2', 'w3', 'w4'].map((id) => ({ id }));
    const ids = [await node.group(ANN, ...writers), await node.group(ANN, ...writers)];
    const text = 'x'.repeat(9000);
    for (const writer of writers) {
      const client = await node.connect(writer);
      await Promise.all(Array.from({ length: 50 }, (_, n) => say(client, ids[n % 2]!, text)));
    }
    const ann = await node.connect(ANN);
    await Promise.all(ids.map((id) => node.join(ann, id, 0)));
    expect(textsOf(ann)).toHaveLength(200);
  });

  test('again, with since, what is asked for comes again', async () => {
    const id = await node.group(ANN, BOB);
    const ann = await node.connect(ANN);
    await node.join(ann, id);
    await say(ann, id, 'a');
    await say(ann, id, 'b');
    await expect.poll(() => textsOf(ann)).toEqual(['a', 'b']);
    ann.forget();
    expect(await node.join(ann, id, 1)).toBe(2);
    expect(textsOf(ann)).toEqual(['b']);
    await say(ann, id, 'c');
    await expect.poll(() => textsOf(ann)).toEqual(['b', 'c']);
  });

  test('a client that comes back joins again, and is not called recovered', async () => {
    const id = await node.group(ANN, BOB);
    const [ann, bob] = [await node.connect(ANN), await node.connect(BOB)];
    await node.join(bob, id);
    await say(ann, id, 'before');
    const { seq } = await bob.next('receive-message');
    const gone = bob.life('disconnect');
    bob.socket.io.engine.close();
    await gone;
    await say(ann, id, 'meanwhile');
    expect(await bob.next('connected')).toMatchObject({ recovered: false });
    await node.join(bob, id, seq);
    expect(textsOf(bob)).toEqual(['meanwhile']);
  });

  test('a client that had joined none goes on where it was cut off', async () => {
    const [ann, bob] = [await node.connect(ANN), await node.connect(BOB)];
    const gone = bob.life('disconnect');
    bob.socket.io.engine.close();
    await gone;
    await node.group(ANN, BOB);
    await ann.next('conversation-created');
    expect(await bob.next('connected')).toMatchObject({ recovered: true });
    await bob.next('conversation-created');
  });

  test('a removed member is told and hears no more; its messages are refused', async () => {
    const id = await node.group(ANN, BOB);
    const [ann, bob] = [await node.connect(ANN), await node.connect(BOB)];
    await node.join(ann, id);
    await node.join(bob, id);
    const { id: message_id } = await say(bob, id, 'mine');
    await node.ask(ANN, `DELETE /v1/conversations/${id}/members/2`);
    for (const client of [ann, bob])
      expect(await client.next('member-removed')).toMatchObject({ conversationId: id, userId: 2 });
    bob.forget();
    await say(ann, id, 'secret');
    await ann.next('receive-message');
    const refusals = await Promise.all([
      bob.ask('send-message', { conversation_id: id, content: 'x' }),
      bob.ask('join-conversation', { conversationId: id }),
      bob.ask('typing', { conversationId: id, isTyping: true }),
      bob.ask('message-read', { conversation_id: id, message_id }),
      bob.ask('edit-message', { message_id, content: 'x' }),
      bob.ask('add-reaction', { message_id, reaction: 'x' }),
    ]);
    expect(refusals.map(({ error }) => error?.code)).toEqual([
      'conversation_not_found',
      'conversation_not_found',
      'not_in_conversation',
      'message_not_found',
      'message_not_found',
      'message_not_found',
    ]);
    expect(bob.has('receive-message')).toBe(false);
  });
});

describe('typing', () => {
  test('is told to the others who have joined, and ends with leaving', async () => {
    const id = await node.group(ANN, BOB);
    const [ann, bob] = [await node.connect(ANN), await node.connect(BOB)];
    expect(await ann.ask('typing', { conversationId: id, isTyping: true })).toMatchObject({
      error: { code: 'not_in_conversation' },
    });
    for (const client of [ann, bob]) await node.join(client, id);
    const typing = { conversationId: id, userId: 1, isTyping: true };
    expect(await ann.ask('typing', typing)).toEqual({ data: { scope: 'cluster' } });
    expect(await bob.next('user-typing')).toEqual(typing);
    await ann.ask('typing', { ...typing, isTyping: false });
    expect(await bob.next('user-typing')).toEqual({ ...typing, isTyping: false });
    await ann.ask('typing', typing);
    await bob.next('user-typing');
    await ann.ask('leave-conversation', { conversationId: id });
    expect(await bob.next('user-typing')).toMatchObject({ isTyping: false });
    expect(ann.has('user-typing')).toBe(false);
    expect(await bob.ask('typing', typing)).toMatchObject({ error: { code: 'user_mismatch' } });
  });
});

describe('what becomes of a message', () => {
  test('edited, deleted: told to everyone once, the history shows it', async () => {
    const id = await node.group(ANN, BOB);
    const [ann, bob] = [await node.connect(ANN), await node.connect(BOB)];
    for (const client of [ann, bob]) await node.join(client, id);
    const { id: message_id } = await say(ann, id, 'helo');

    const edited = await ann.ask('edit-message', { message_id, content: 'hello' });
    expect(edited.data).toMatchObject({ id: message_id, content: 'hello', seq: 1 });
    for (const client of [ann, bob])
      expect(await client.next('message-updated')).toEqual(edited.data);
    expect(await bob.ask('edit-message', { message_id, content: 'x' })).toMatchObject({
      error: { code: 'message_not_found' },
    });

    const deleted = await ann.ask('delete-message', { message_id });
    expect(deleted.data).toMatchObject({ content: '', deleted_at: timestamp });
    for (const client of [ann, bob])
      expect(await client.next('message-deleted')).toEqual(deleted.data);
    expect(ann.has('message-updated')).toBe(false);
    expect(await ann.ask('delete-message', { message_id })).toMatchObject({
      error: { code: 'message_not_found' },
    });
    const { messages } = await node.ask(BOB, `GET /v1/conversations/${id}/messages`);
    expect(messages).toEqual([deleted.data]);
  });

  test('reactions are told once and are in the history', async () => {
    const id = await node.group(ANN, BOB);
    const [ann, bob] = [await node.connect(ANN), await node.connect(BOB)];
    for (const client of [ann, bob]) await node.join(client, id);
    const { id: message_id } = await say(ann, id, 'hello');
    const reaction = { message_id, reaction: '👍' };
    const { data } = await bob.ask('add-reaction', reaction);
    const act = { conversation_id: id, message_id, seq: 1, user_id: 2, timestamp };
    expect(data).toEqual({ ...act, reaction: '👍' });
    for (const client of [ann, bob]) expect(await client.next('reaction-added')).toEqual(data);
    await bob.ask('add-reaction', reaction);
    const history = () => node.ask(ANN, `GET /v1/conversations/${id}/messages`);
    expect((await history()).messages[0].reactions).toEqual([{ reaction: '👍', user_ids: [2] }]);
    await bob.ask('remove-reaction', reaction);
    expect(await ann.next('reaction-removed')).toMatchObject({ reaction: '👍' });
    expect(ann.has('reaction-added')).toBe(false);
    expect((await history()).messages[0].reactions).toBeUndefined();
  });
});

describe('receipts', () => {
  test('delivered and read are told to the others, and counts to the own sessions', async () => {
    const id = await node.group(ANN, BOB);
    const [ann, bob] = [await node.connect(ANN), await node.connect(BOB)];
    const tablet = await node.connect(BOB);
    for (const client of [ann, bob]) await node.join(client, id);
    await say(ann, id, 'one');
    const { id: message_id } = await say(ann, id, 'two');
    await say(ann, id, 'three');
    const receipt = { conversation_id: id, message_id };
    const act = { ...receipt, seq: 2, user_id: 2, timestamp };

    expect(await bob.ask('message-delivered', receipt)).toEqual({ data: { scope: 'cluster' } });
    expect(await ann.next('message-delivered')).toEqual(act);

    const counts = { conversations: [{ conversationId: id, unread: 1 }] };
    expect(await bob.ask('message-read', receipt)).toEqual({ data: counts });
    expect(await bob.next('unread-counts')).toEqual(counts);
    expect(await tablet.next('unread-counts')).toEqual(counts);
    expect(await ann.next('message-read')).toEqual(act);

    await bob.ask('message-read', receipt);
    await say(ann, id, 'four');
    await ann.ask('typing', { conversationId: id, isTyping: true });
    expect(ann.has('message-read')).toBe(false);
    expect(bob.has('message-read')).toBe(false);
  });

  test('in a large group only who wrote hears of a receipt', async () => {
    const crowd = Array.from({ length: 100 }, (_, index) => ({ ...CARL, id: `${100 + index}` }));
    const id = await node.group(ANN, BOB, ...crowd);
    const [ann, bob] = [await node.connect(ANN), await node.connect(BOB)];
    const reader = await node.connect(crowd[0]!);
    for (const client of [ann, bob, reader]) await node.join(client, id);
    const { id: message_id } = await say(ann, id, 'one');
    const receipt = { conversation_id: id, message_id };
    const act = { ...receipt, seq: 1, user_id: 100, timestamp };

    await reader.ask('message-delivered', receipt);
    expect(await ann.next('message-delivered')).toEqual(act);
    await reader.ask('message-read', receipt);
    expect(await ann.next('message-read')).toEqual(act);

    await say(ann, id, 'two');
    await bob.next('receive-message');
    for (const event of ['message-delivered', 'message-read'] as const)
      expect(bob.has(event)).toBe(false);
  });

  test('counts come at connect', async () => {
    const person = { id: '77' };
    const id = await node.group(ANN, person);
    const ann = await node.connect(ANN);
    await say(ann, id, 'one');
    await say(ann, id, 'two');
    const client = new Client(`${node.url}/chat`, { auth: { token: await tokenOf(person) } });
    expect(await client.next('unread-counts')).toEqual({
      conversations: [{ conversationId: id, unread: 2 }],
    });
    client.close();
  });
});

describe('status', () => {
  test('is told to those who share a conversation, and to those who come later', async () => {
    const [dora, emil] = [{ id: 'dora' }, { id: 'emil' }];
    await node.group(dora, emil);
    const stranger = await node.connect(CARL);
    const [first, second] = [await node.connect(dora), await node.connect(emil)];
    const status = { userId: 'emil', status: 'busy' };
    expect(await second.ask('set-status', { status: 'busy' })).toEqual({ data: status });
    expect(await second.next('user:status')).toEqual(status);
    expect(await first.next('user:status')).toEqual(status);
    const later = await node.connect(dora);
    expect(await later.next('user:status')).toEqual(status);
    expect(stranger.has('user:status')).toBe(false);
    expect(await second.ask('set-status', { status: 'gone' })).toMatchObject({
      error: { code: 'invalid_payload' },
    });
  });
});

test('nonsense is answered, once each, and does no harm', async () => {
  const id = await node.group(ANN, BOB);
  const ann = await node.connect(ANN);
  const nonsense = [
    undefined,
    null,
    'x',
    [],
    { conversationId: { toString: 'x' }, message_id: [1] },
    { conversation_id: -1, message_id: 1e300, conversationId: '__proto__' },
    { conversation_id: id, message_id: 999_999, content: '\0', reaction: '\ud800' },
    { conversation_id: id, conversationId: id, since: -1, isTyping: 'yes', sender_id: {} },
  ];
  const { 'refresh-token': _, ...events } = CHAT_CLIENT_EVENTS;
  for (const event of Object.keys(events))
    for (const payload of nonsense) {
      const { error } = await ann.ask(event, payload);
      if (event !== 'leave-conversation') expect(error).toBeDefined();
      expect(error?.code).not.toBe('internal');
    }
  expect(await say(ann, id, 'fine')).toMatchObject({ content: 'fine' });
});

describe('limits', () => {
  test('a user who says too much is told when to come back, and others go on', async () => {
    const person = { id: 'loud' };
    const id = await node.group(ANN, person);
    const [loud, ann] = [await node.connect(person), await node.connect(ANN)];
    const answers = await Promise.all(
      Array.from({ length: 80 }, () =>
        loud.ask('send-message', { conversation_id: id, content: 'x' }),
      ),
    );
    const refused = answers.flatMap(({ error }) => error ?? []);
    expect(refused.length).toBeGreaterThan(5);
    for (const error of refused)
      expect(error).toMatchObject({
        code: 'rate_limited',
        retryable: true,
        retryAfterMs: expect.any(Number) as number,
      });
    expect(await loud.next('message-error')).toMatchObject({ code: 'rate_limited' });
    expect(await say(ann, id, 'still here')).toMatchObject({ content: 'still here' });
  });
});
