import { userRoom } from '@streamgate/protocol/rooms';
import type { Emitter, Written } from '../emitter.js';

/** Ids as document 2 has them: numbers, or text. */
type Id = number | string;

/** A message of document 2, in the shape that its clients receive. */
export interface ChatMessage {
  readonly id: Id;
  readonly conversation_id: Id;
  readonly sender_id: Id;
  readonly message_type: string;
  readonly content: string;
  readonly [more: string]: unknown;
}

/** What services of document 2 call on its `EventsService`. All of it goes out on `/chat`. */
export interface ChatEvents {
  /** `receive-message` to the conversation. */
  emitMessageCreated(message: ChatMessage): Promise<Written>;
  /** `message-updated` to the conversation. */
  emitMessageUpdated(message: ChatMessage): Promise<Written>;
  /** `message-deleted` to the conversation. */
  emitMessageDeleted(message: {
    readonly id: Id;
    readonly conversation_id: Id;
    readonly [more: string]: unknown;
  }): Promise<Written>;
  /** `user-typing` to the others in the conversation; volatile, since the next one corrects it. */
  emitTyping(typing: {
    readonly conversationId: Id;
    readonly userId: Id;
    readonly isTyping: boolean;
  }): Promise<Written>;
  /** `conversation-created` to its members. */
  emitConversationCreated(
    conversation: { readonly id: Id; readonly [more: string]: unknown },
    memberIds: readonly Id[],
  ): Promise<Written>;
}

/** Document 2's `EventsService`. What belongs to one conversation stays in order. */
export function chatEvents(emitter: Pick<Emitter, 'of'>): ChatEvents {
  const chat = emitter.of('/chat');
  const conversation = (id: Id) => chat.to(`conversation:${id}`);
  return {
    emitMessageCreated: (message) =>
      conversation(message.conversation_id).emit('receive-message', message),
    emitMessageUpdated: (message) =>
      conversation(message.conversation_id).emit('message-updated', message),
    emitMessageDeleted: (message) =>
      conversation(message.conversation_id).emit('message-deleted', message),
    emitTyping: (typing) =>
      conversation(typing.conversationId)
        .except(userRoom(String(typing.userId)))
        .volatile()
        .emit('user-typing', typing),
    emitConversationCreated: (created, memberIds) =>
      chat
        .toUsers(memberIds)
        .key(`conversation:${created.id}`)
        .emit('conversation-created', created),
  };
}
