import { z } from 'zod';
import {
  Attachment,
  ChatId,
  ChatUserId,
  ClientMessageId,
  Content,
  MessageType,
  ReactionText,
  Seq,
  UserStatus,
} from './chat.js';
import { CLIENT_EVENTS, type ClientEvent } from './client-events.js';

const SendMessage = z
  .object({
    /** Who says it; nobody else than the session's own user. Absent: that one. */
    sender_id: ChatUserId.optional(),
    conversation_id: ChatId,
    message_type: MessageType.default('text'),
    content: Content.default(''),
    /** Of an image or a file. */
    attachment: Attachment.optional(),
    /** The client's own: the same message sent again under it is in the conversation once. */
    client_message_id: ClientMessageId.optional(),
  })
  .superRefine(({ message_type, content, attachment }, context) => {
    const fault = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message });
    if (message_type === 'text' && content === '') fault('content', 'a text has one');
    if (message_type === 'text' && attachment) fault('attachment', 'a text has none');
    if (message_type !== 'text' && !attachment) fault('attachment', `what the ${message_type} is`);
    if (message_type === 'image' && attachment && !attachment.mime.startsWith('image/'))
      fault('attachment', 'not an image');
  });
const OfMessage = z.object({ message_id: ChatId });
const Reaction = OfMessage.extend({ reaction: ReactionText });
const Receipt = OfMessage.extend({ conversation_id: ChatId });

/**
 * Every event that a client may send on `/chat`, as `CLIENT_EVENTS`. Document 2's speak of a
 * conversation as `conversationId`, those that speak of a message write as messages are written.
 */
export const CHAT_CLIENT_EVENTS = {
  /** Document 2. */
  'send-message': { payload: SendMessage, reply: 'message-sent', refusal: 'message-error' },
  /** Document 2. With `since`, first everything after that number is sent, and then what comes. */
  'join-conversation': {
    payload: z.object({
      conversationId: ChatId,
      userId: ChatUserId.optional(),
      since: Seq.optional(),
    }),
    reply: 'joined-conversation',
    refusal: 'joined-conversation',
  },
  /** Document 2. */
  'leave-conversation': {
    payload: z.object({ conversationId: ChatId }),
    reply: 'left-conversation',
  },
  /** Document 2. */
  typing: {
    payload: z.object({
      conversationId: ChatId,
      userId: ChatUserId.optional(),
      isTyping: z.boolean(),
    }),
    reply: undefined,
  },
  /** This message has arrived at the user, and all before it. */
  'message-delivered': { payload: Receipt, reply: undefined },
  /** The user has read this message, and all before it. */
  'message-read': { payload: Receipt, reply: 'unread-counts' },
  'edit-message': {
    payload: OfMessage.extend({ content: Content.min(1) }),
    reply: 'message-updated',
  },
  'delete-message': { payload: OfMessage, reply: 'message-deleted' },
  'add-reaction': { payload: Reaction, reply: 'reaction-added' },
  'remove-reaction': { payload: Reaction, reply: 'reaction-removed' },
  'set-status': { payload: z.object({ status: UserStatus }), reply: 'user:status' },
  'refresh-token': CLIENT_EVENTS['refresh-token'],
} as const satisfies Record<string, ChatClientEvent>;

export interface ChatClientEvent extends ClientEvent {
  /** The event that tells of a refusal in place of `error`, or before it. */
  readonly refusal?: 'message-error' | 'joined-conversation';
}

export type ChatClientEventName = keyof typeof CHAT_CLIENT_EVENTS;

/** The payload of a client event on `/chat` as the gateway sees it, after its schema. */
export type ChatClientPayload<E extends ChatClientEventName> = z.output<
  (typeof CHAT_CLIENT_EVENTS)[E]['payload']
>;
