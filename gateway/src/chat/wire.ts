import * as wire from '@streamgate/protocol/chat';
import type {
  Conversation,
  ConversationSummary,
  ConversationWithMembers,
  Member,
  Message,
} from './store/chat-store.js';

/** What the store keeps, as it travels: the schemas of `protocol/`. */

export function messageOnWire(message: Message): wire.Message {
  const { attachment, clientMessageId, deletedAt, reactions } = message;
  return {
    id: message.id,
    conversation_id: message.conversationId,
    sender_id: wire.wireId(message.senderId),
    message_type: message.type,
    content: message.content,
    seq: message.seq,
    ...(clientMessageId !== undefined && { client_message_id: clientMessageId }),
    ...(attachment && { attachment }),
    ...(reactions.length > 0 && {
      reactions: reactions.map(({ reaction, userIds }) => ({
        reaction,
        user_ids: userIds.map(wire.wireId),
      })),
    }),
    created_at: message.createdAt.toISOString(),
    updated_at: message.updatedAt.toISOString(),
    ...(deletedAt && { deleted_at: deletedAt.toISOString() }),
  };
}

export function conversationOnWire(conversation: Conversation): wire.Conversation {
  const { title } = conversation;
  return {
    id: conversation.id,
    kind: conversation.kind,
    ...(title !== undefined && { title }),
    created_by: wire.wireId(conversation.createdBy),
    created_at: conversation.createdAt.toISOString(),
    updated_at: conversation.updatedAt.toISOString(),
    last_seq: conversation.lastSeq,
  };
}

export function conversationWithMembersOnWire(
  conversation: ConversationWithMembers,
): wire.ConversationWithMembers {
  return {
    ...conversationOnWire(conversation),
    members: conversation.members.map(memberOnWire),
  };
}

export function conversationSummaryOnWire(
  conversation: ConversationSummary,
): wire.ConversationSummary {
  const { lastMessage, peerId, unread } = conversation;
  return {
    ...conversationOnWire(conversation),
    ...(peerId !== undefined && { peer_id: wire.wireId(peerId) }),
    ...(lastMessage && { last_message: messageOnWire(lastMessage) }),
    unread,
  };
}

function memberOnWire(member: Member): wire.ConversationMember {
  return {
    user_id: wire.wireId(member.userId),
    role: member.role,
    joined_at: member.joinedAt.toISOString(),
    last_read_seq: member.lastReadSeq,
    last_delivered_seq: member.lastDeliveredSeq,
  };
}
