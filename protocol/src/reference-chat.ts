import type { z } from 'zod';
import type { ConversationWithMembers, Message } from './chat.js';
import type { CHAT_CLIENT_EVENTS, ChatClientEventName } from './chat-client-events.js';
import type { ChatServerEventName, ChatServerPayload } from './chat-server-events.js';
import { CLIENT_REFERENCE } from './reference-client.js';
import { SERVER_REFERENCE } from './reference-server.js';
import type { ClientEventReference, EventReference } from './reference-types.js';

const TIME = '2026-11-21T09:30:00.000Z';
const OWN_MESSAGE = ['message_not_found', 'database_unavailable'] as const;
const JOINED = 'Everyone who has joined the conversation';
const ITSELF = 'The session itself';

const MESSAGE: Message = {
  id: 7,
  conversation_id: 1,
  sender_id: 1,
  message_type: 'text',
  content: 'Hello!',
  seq: 3,
  client_message_id: 'c1',
  created_at: TIME,
  updated_at: TIME,
};
const CONVERSATION: ConversationWithMembers = {
  id: 1,
  kind: 'group',
  title: 'Class 7b',
  created_by: 1,
  created_at: TIME,
  updated_at: TIME,
  last_seq: 3,
  members: [
    { user_id: 1, role: 'owner', joined_at: TIME, last_read_seq: 3, last_delivered_seq: 3 },
    { user_id: 2, role: 'member', joined_at: TIME, last_read_seq: 1, last_delivered_seq: 3 },
  ],
};
const ACT = { conversation_id: 1, message_id: 7, seq: 3, user_id: 2, timestamp: TIME };
const CHANGE = { conversationId: 1, userId: 3, by: 1, timestamp: TIME };

type Payload<E extends ChatClientEventName> = z.input<(typeof CHAT_CLIENT_EVENTS)[E]['payload']>;

/** What the reference says of the events that a client may send on `/chat`; a missing one does not compile. */
export const CHAT_CLIENT_REFERENCE: {
  readonly [E in ChatClientEventName]: ClientEventReference<Payload<E>>;
} = {
  'send-message': {
    origin: 2,
    summary:
      'Says something in a conversation of which the user is a member; `message-sent` says that it is kept.',
    example: { sender_id: 1, conversation_id: 1, message_type: 'text', content: 'Hello!' },
    recipients: `${JOINED}, the sender too, by \`receive-message\``,
    codes: [
      'user_mismatch',
      'conversation_not_found',
      'attachment_refused',
      'database_unavailable',
    ],
  },
  'join-conversation': {
    origin: 2,
    summary:
      'Asks for the messages of a conversation from now on; with `since`, first for all after that number.',
    example: { conversationId: 1, userId: 1, since: 2 },
    recipients: 'The session itself, by `receive-message` and then `joined-conversation`',
    codes: [
      'user_mismatch',
      'conversation_not_found',
      'too_many_rooms',
      'database_unavailable',
      'backplane_unavailable',
    ],
  },
  'leave-conversation': {
    origin: 2,
    summary: 'Asks for no more messages of a conversation; the user stays a member.',
    example: { conversationId: 1 },
    recipients: 'The session itself, by `left-conversation`',
    codes: [],
  },
  typing: {
    origin: 2,
    summary: 'Says that the user types, or no more; it ends by itself 5 s after the last one.',
    example: { conversationId: 1, userId: 1, isTyping: true },
    recipients: 'The others who have joined the conversation, by `user-typing`',
    codes: ['user_mismatch', 'not_in_conversation'],
  },
  'message-delivered': {
    origin: 'streamgate',
    summary: 'Says that a message, and all before it, have arrived at the user.',
    example: { conversation_id: 1, message_id: 7 },
    recipients:
      'The others who have joined the conversation, by `message-delivered`; of more than 100 members only who wrote it',
    codes: OWN_MESSAGE,
  },
  'message-read': {
    origin: 'streamgate',
    summary: 'Says that the user has read a message and all before it.',
    example: { conversation_id: 1, message_id: 7 },
    recipients:
      'The others who have joined the conversation (of more than 100 members only who wrote it), by `message-read`; the sessions of the user, by `unread-counts`',
    codes: OWN_MESSAGE,
  },
  'edit-message': {
    origin: 'streamgate',
    summary: "Changes the text of one of the user's own messages.",
    example: { message_id: 7, content: 'Hello, all!' },
    recipients: `${JOINED}, by \`message-updated\``,
    codes: OWN_MESSAGE,
  },
  'delete-message': {
    origin: 'streamgate',
    summary: "Empties one of the user's own messages; its number stays.",
    example: { message_id: 7 },
    recipients: `${JOINED}, by \`message-deleted\``,
    codes: OWN_MESSAGE,
  },
  'add-reaction': {
    origin: 'streamgate',
    summary: 'Reacts to a message.',
    example: { message_id: 7, reaction: '👍' },
    recipients: `${JOINED}, by \`reaction-added\``,
    codes: OWN_MESSAGE,
  },
  'remove-reaction': {
    origin: 'streamgate',
    summary: 'Takes a reaction back.',
    example: { message_id: 7, reaction: '👍' },
    recipients: `${JOINED}, by \`reaction-removed\``,
    codes: OWN_MESSAGE,
  },
  'set-status': {
    origin: 'streamgate',
    summary: 'Says how the user is, on all devices.',
    example: { status: 'away' },
    recipients: 'Those who share a conversation with the user, by `user:status`',
    codes: ['database_unavailable'],
  },
  'refresh-token': CLIENT_REFERENCE['refresh-token'],
};

/** What the reference says of the events that the gateway sends on `/chat`; a missing one does not compile. */
export const CHAT_SERVER_REFERENCE: {
  readonly [E in ChatServerEventName]: EventReference<ChatServerPayload<E>>;
} = {
  connected: { ...SERVER_REFERENCE.connected, origin: 'streamgate' },
  error: {
    ...SERVER_REFERENCE.error,
    origin: 2,
    example: {
      message: 'No such conversation, or not a member of it',
      code: 'conversation_not_found',
      retryable: false,
      event: 'join-conversation',
    },
  },
  'token-refreshed': SERVER_REFERENCE['token-refreshed'],
  'inbox-delivered': SERVER_REFERENCE['inbox-delivered'],
  draining: SERVER_REFERENCE.draining,
  'receive-message': {
    origin: 2,
    summary: 'A message; those of one conversation come in the order of `seq`, without gaps.',
    example: MESSAGE,
    recipients: `${JOINED}, the sender too`,
  },
  'message-sent': {
    origin: 2,
    summary:
      'The message is kept; sent again under the same `client_message_id`, it is the same one.',
    example: MESSAGE,
    recipients: ITSELF,
  },
  'message-error': {
    origin: 2,
    summary: 'A message could not be sent; when `retryable`, sending it again may help.',
    example: {
      error: 'The database is unavailable, try again',
      code: 'database_unavailable',
      retryable: true,
      client_message_id: 'c1',
    },
    recipients: ITSELF,
  },
  'joined-conversation': {
    origin: 2,
    summary:
      'All that was missed has been sent, and messages after `lastSeq` will be; or, with `success: false`, `error` says why not.',
    example: { conversationId: 1, success: true, lastSeq: 3 },
    recipients: ITSELF,
  },
  'user-typing': {
    origin: 2,
    summary: 'A member types, or no more.',
    example: { conversationId: 1, userId: 2, isTyping: true },
    recipients: 'The others who have joined the conversation',
  },
  'user:online': {
    origin: 2,
    summary:
      'The first session of a user on `/chat` has come; at connect, of each who is there already.',
    example: { userId: 2 },
    recipients: 'Those who share a conversation with the user',
  },
  'user:offline': {
    origin: 2,
    summary: 'The last session of a user on `/chat` is gone.',
    example: { userId: 2 },
    recipients: 'Those who share a conversation with the user',
  },
  'left-conversation': {
    origin: 'streamgate',
    summary: 'The session is sent no more messages of the conversation.',
    example: { conversationId: 1, success: true },
    recipients: ITSELF,
  },
  'reload-since': {
    origin: 'streamgate',
    summary:
      'Messages after `since` were not sent here: they are in the history, at `GET /v1/conversations/{id}/messages?since=`.',
    example: { conversationId: 1, since: 3 },
    recipients: 'The sessions that miss them',
  },
  'message-delivered': {
    origin: 'streamgate',
    summary: 'This message, and all before it, have arrived at a member.',
    example: ACT,
    recipients:
      'The others who have joined the conversation; of more than 100 members, the sessions of those who wrote what was marked',
  },
  'message-read': {
    origin: 'streamgate',
    summary: 'A member has read this message, and all before it.',
    example: ACT,
    recipients:
      'The others who have joined the conversation; of more than 100 members, the sessions of those who wrote what was marked',
  },
  'unread-counts': {
    origin: 'streamgate',
    summary:
      'How many messages the user has not read: at connect of all conversations with any, after that of those that changed.',
    example: { conversations: [{ conversationId: 1, unread: 2 }] },
    recipients: 'The sessions of the user',
  },
  'message-updated': {
    origin: 'streamgate',
    summary: 'A message has another text.',
    example: { ...MESSAGE, content: 'Hello, all!' },
    recipients: JOINED,
  },
  'message-deleted': {
    origin: 'streamgate',
    summary: 'A message was emptied by its sender.',
    example: { ...MESSAGE, content: '', deleted_at: TIME },
    recipients: JOINED,
  },
  'reaction-added': {
    origin: 'streamgate',
    summary: 'A member reacts to a message.',
    example: { ...ACT, reaction: '👍' },
    recipients: JOINED,
  },
  'reaction-removed': {
    origin: 'streamgate',
    summary: 'A member takes a reaction back.',
    example: { ...ACT, reaction: '👍' },
    recipients: JOINED,
  },
  'conversation-created': {
    origin: 'streamgate',
    summary: 'The user is a member of a new conversation.',
    example: CONVERSATION,
    recipients: 'The sessions of its members',
  },
  'conversation-updated': {
    origin: 'streamgate',
    summary: 'A conversation has another title.',
    example: {
      id: 1,
      kind: 'group',
      title: 'Class 8b',
      created_by: 1,
      created_at: TIME,
      updated_at: TIME,
      last_seq: 3,
    },
    recipients: 'The sessions of its members',
  },
  'member-added': {
    origin: 'streamgate',
    summary: 'A user has become a member of a group.',
    example: CHANGE,
    recipients: 'The sessions of its members, the new one too',
  },
  'member-removed': {
    origin: 'streamgate',
    summary: 'A user is a member of a group no more; its sessions have left the conversation.',
    example: CHANGE,
    recipients: 'The sessions of its members, and of the one who was',
  },
  'user:status': {
    origin: 'streamgate',
    summary: 'How a user is.',
    example: { userId: 2, status: 'away' },
    recipients: 'Those who share a conversation with the user, and the sessions of the user',
  },
};
