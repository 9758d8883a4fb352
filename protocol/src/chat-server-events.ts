import { z } from 'zod';
import { Conversation, ConversationWithMembers, Message, Seq, UserStatus, WireId } from './chat.js';
import { type ShownCode, SERVER_EVENTS, Timestamp } from './server-events.js';

const OfUser = z.object({ userId: WireId });
/** What somebody did with a message. */
const MessageAct = z.object({
  conversation_id: z.int(),
  message_id: z.int(),
  seq: Seq,
  user_id: WireId,
  timestamp: Timestamp,
});
const Reaction = MessageAct.extend({ reaction: z.string() });
const MemberChange = z.object({
  conversationId: z.int(),
  userId: WireId,
  /** Who did it. */
  by: WireId,
  timestamp: Timestamp,
});

/** Events that the gateway itself sends on `/chat`, with the schema of their payload. */
export const CHAT_SERVER_EVENTS = {
  // As on `/`
  connected: SERVER_EVENTS.connected,
  error: SERVER_EVENTS.error,
  'token-refreshed': SERVER_EVENTS['token-refreshed'],
  'inbox-delivered': SERVER_EVENTS['inbox-delivered'],
  draining: SERVER_EVENTS.draining,
  // Document 2
  'receive-message': Message,
  'message-sent': Message,
  'message-error': z.object({
    /** For people. */
    error: z.string(),
    code: z.string() as unknown as z.ZodType<ShownCode>,
    retryable: z.boolean(),
    retryAfterMs: z.number().optional(),
    client_message_id: z.string().optional(),
  }),
  'joined-conversation': z.object({
    /** Absent when the refused request named none. */
    conversationId: z.int().optional(),
    success: z.boolean(),
    /** Number of the last message sent or passed over: live ones go on from there. */
    lastSeq: Seq.optional(),
  }),
  'user-typing': z.object({ conversationId: z.int(), userId: WireId, isTyping: z.boolean() }),
  'user:online': OfUser,
  'user:offline': OfUser,
  // Added
  'left-conversation': z.object({ conversationId: z.int(), success: z.literal(true) }),
  /** Messages after `since` are in the history, and this session is not sent them. */
  'reload-since': z.object({ conversationId: z.int(), since: Seq }),
  /** This message, and with it all before. */
  'message-delivered': MessageAct,
  /** This message, and with it all before. */
  'message-read': MessageAct,
  /** At connect all conversations with something unread; after that those that changed. */
  'unread-counts': z.object({
    conversations: z.array(z.object({ conversationId: z.int(), unread: z.int() })),
  }),
  'message-updated': Message,
  'message-deleted': Message,
  'reaction-added': Reaction,
  'reaction-removed': Reaction,
  'conversation-created': ConversationWithMembers,
  'conversation-updated': Conversation,
  'member-added': MemberChange,
  'member-removed': MemberChange,
  'user:status': OfUser.extend({ status: UserStatus }),
} as const satisfies Record<string, z.ZodType>;

export type ChatServerEventName = keyof typeof CHAT_SERVER_EVENTS;
export type ChatServerPayload<E extends ChatServerEventName> = z.input<
  (typeof CHAT_SERVER_EVENTS)[E]
>;
