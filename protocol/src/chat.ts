import { z } from 'zod';
import { TEXT_MAX } from './client-events.js';
import { isRoomName, userRoom } from './rooms.js';
import { Timestamp } from './server-events.js';

/** What chat speaks of on `/chat` and in `/v1/conversations`: ids, messages, conversations. */

/** Longest text of a message, in characters; the payload limit in bytes holds beside it. */
export const CONTENT_MAX = TEXT_MAX;
/** Longest title of a conversation, in characters. */
export const TITLE_MAX = 200;
/** Longest id that a client gives a message, in characters. */
export const CLIENT_MESSAGE_ID_MAX = 200;
/** Longest reaction, in characters: one emoji of several parts fits. */
export const REACTION_MAX = 32;
/** Members of a conversation at most. */
export const MEMBERS_MAX = 1000;
/** In larger conversations only those who wrote a message hear of its receipts: telling all is the square of them. */
export const RECEIPTS_TO_ALL_MAX = 100;
/** Missed messages that `join-conversation` sends at most; beyond, `reload-since` says where to go on. */
export const CATCH_UP_MAX = 1000;
/** Conversations that `unread-counts` lists at most. */
export const UNREAD_MAX = 1000;

const DIGITS = /^(?:0|[1-9]\d*)$/;

/** A user id as document 2 sends it: one made of digits is a number. */
export const WireId = z.union([z.string(), z.int()]);
export type WireId = z.infer<typeof WireId>;

/** An id made of digits travels as a number, as far as numbers are exact; others as they are. */
export function wireId(id: string): WireId {
  return DIGITS.test(id) && Number.isSafeInteger(Number(id)) ? Number(id) : id;
}

/** A user id from a client, either way of writing it; text inside. Only such as a token can have. */
export const ChatUserId = z
  .union([z.string().min(1).max(190), z.int()])
  .transform(String)
  .refine((id) => isRoomName(userRoom(id)), { error: 'not a user id' });

/** The id of a conversation or a message, as a number or its digits; a number inside. */
export const ChatId = z.union([
  z.int().positive(),
  z
    .string()
    .regex(/^[1-9]\d{0,15}$/, 'not an id')
    .transform(Number)
    .refine(Number.isSafeInteger, { error: 'not an id' }),
]);

/** The number of a message in its conversation: 1, 2, 3 without gaps; 0 is before the first. */
export const Seq = z.int().nonnegative();

/** Text that every database keeps as it is: NUL and halves of characters are refused. */
function text(max: number) {
  return z
    .string()
    .max(max)
    .refine((value) => !value.includes('\0') && value.isWellFormed(), {
      error: 'not a text that can be kept',
    });
}

export const Content = text(CONTENT_MAX);
export const Title = text(TITLE_MAX);
export const ClientMessageId = text(CLIENT_MESSAGE_ID_MAX).min(1);
export const ReactionText = text(REACTION_MAX).regex(/\S/, 'an empty reaction');

export const MessageType = z.enum(['text', 'image', 'file']);
export type MessageType = z.infer<typeof MessageType>;

/** Where the bytes of an image or a file lie; which schemes, types and sizes pass is configured. */
export const Attachment = z.object({
  url: text(2048).min(1),
  name: text(255).min(1),
  /** As `image/png`. */
  mime: z
    .string()
    .max(127)
    .regex(/^[a-z]+\/[a-z0-9][a-z0-9.+-]*$/, 'not a media type'),
  /** Bytes. */
  size: z.int().nonnegative(),
});
export type Attachment = z.infer<typeof Attachment>;

export const Reaction = z.object({
  reaction: z.string(),
  user_ids: z.array(WireId),
});

/** A message; a deleted one keeps its number and has no content. */
export const Message = z.object({
  id: z.int(),
  conversation_id: z.int(),
  sender_id: WireId,
  message_type: MessageType,
  content: z.string(),
  seq: z.int(),
  client_message_id: z.string().optional(),
  attachment: Attachment.optional(),
  /** Absent when there are none. */
  reactions: z.array(Reaction).optional(),
  created_at: Timestamp,
  updated_at: Timestamp,
  deleted_at: Timestamp.optional(),
});
export type Message = z.infer<typeof Message>;

export const ConversationKind = z.enum(['direct', 'group']);
export type ConversationKind = z.infer<typeof ConversationKind>;

export const Conversation = z.object({
  id: z.int(),
  kind: ConversationKind,
  title: z.string().optional(),
  created_by: WireId,
  created_at: Timestamp,
  /** When it was made, renamed, or last written in. */
  updated_at: Timestamp,
  /** Number of the newest message, 0 when there is none. */
  last_seq: Seq,
});
export type Conversation = z.infer<typeof Conversation>;

export const ConversationMember = z.object({
  user_id: WireId,
  role: z.enum(['owner', 'member']),
  joined_at: Timestamp,
  last_read_seq: Seq,
  last_delivered_seq: Seq,
});
export type ConversationMember = z.infer<typeof ConversationMember>;

export const ConversationWithMembers = Conversation.extend({
  members: z.array(ConversationMember),
});
export type ConversationWithMembers = z.infer<typeof ConversationWithMembers>;

/** A conversation as a member's list shows it. */
export const ConversationSummary = Conversation.extend({
  /** The other user of a direct conversation. */
  peer_id: WireId.optional(),
  last_message: Message.optional(),
  /** Messages of others after what the member has read. */
  unread: z.int(),
});
export type ConversationSummary = z.infer<typeof ConversationSummary>;

export const UserStatus = z.enum(['online', 'away', 'busy']);
export type UserStatus = z.infer<typeof UserStatus>;
