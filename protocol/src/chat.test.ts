import { describe, expect, test } from 'vitest';
import { ChatId, ChatUserId, wireId } from './chat.js';
import { CHAT_CLIENT_EVENTS } from './chat-client-events.js';
import { CHAT_SERVER_EVENTS } from './chat-server-events.js';
import { CHAT_CLIENT_REFERENCE, CHAT_SERVER_REFERENCE } from './reference-chat.js';

describe('ids', () => {
  test.each([
    ['1', 1],
    ['0', 0],
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', '9007199254740993'],
    ['007', '007'],
    ['-1', '-1'],
    ['1e3', '1e3'],
    ['auth0|12', 'auth0|12'],
    ['', ''],
  ])('user %j travels as %j', (id, wire) => {
    expect(wireId(id)).toBe(wire);
    if (id) expect(ChatUserId.parse(wire)).toBe(id);
  });

  test.each(['', 'a\0b', 'a\nb', 'a\ud800', 'é'.repeat(190), 1.5])('no user: %j', (id) =>
    expect(ChatUserId.safeParse(id).success).toBe(false),
  );

  test.each([[1], ['1']])('a conversation %j', (id) => expect(ChatId.parse(id)).toBe(1));

  test.each([0, -1, 1.5, '0', '01', '1e3', 'x', '9007199254740993', 2 ** 53, null, undefined, {}])(
    'no conversation: %j',
    (id) => expect(ChatId.safeParse(id).success).toBe(false),
  );
});

describe('send-message', () => {
  const { payload } = CHAT_CLIENT_EVENTS['send-message'];
  const file = { url: 'https://files.example/1', name: 'a.pdf', mime: 'application/pdf', size: 10 };

  test("document 2's message", () => {
    const sent = { sender_id: 1, conversation_id: 1, message_type: 'text', content: 'Hello!' };
    expect(payload.parse({ ...sent, more: true })).toEqual({ ...sent, sender_id: '1' });
  });

  test.each([
    ['text without content', { content: '' }],
    ['too long', { content: 'x'.repeat(10_001) }],
    ['NUL', { content: 'a\0b' }],
    ['half a character', { content: '\ud83d' }],
    ['no conversation', { conversation_id: undefined }],
    ['unknown type', { message_type: 'video' }],
    ['text with an attachment', { attachment: file }],
    ['image without one', { message_type: 'image' }],
    ['image that is none', { message_type: 'image', attachment: file }],
    ['no media type', { message_type: 'file', attachment: { ...file, mime: 'pdf' } }],
    ['negative size', { message_type: 'file', attachment: { ...file, size: -1 } }],
    ['empty client_message_id', { client_message_id: '' }],
  ])('refused: %s', (_, change) => {
    const message = { conversation_id: 1, content: 'Hello!', ...change };
    expect(payload.safeParse(message).success).toBe(false);
  });

  test('a file needs no content', () => {
    const message = { conversation_id: '1', message_type: 'file', attachment: file };
    expect(payload.parse(message)).toMatchObject({ conversation_id: 1, content: '' });
  });
});

test.each(Object.entries(CHAT_CLIENT_EVENTS))('the example of %s, and its reply', (name, event) => {
  event.payload.parse(CHAT_CLIENT_REFERENCE[name as keyof typeof CHAT_CLIENT_REFERENCE].example);
  if (event.reply) expect(CHAT_SERVER_EVENTS).toHaveProperty([event.reply]);
});

test.each(Object.entries(CHAT_SERVER_EVENTS))('the example of %s', (name, schema) => {
  const { example } = CHAT_SERVER_REFERENCE[name as keyof typeof CHAT_SERVER_REFERENCE];
  expect(schema.parse(example)).toEqual(example);
});
