import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { type Message, wireId } from '@streamgate/protocol/chat';
import type { ChatClientPayload } from '@streamgate/protocol/chat-client-events';
import type { ChatServerPayload } from '@streamgate/protocol/chat-server-events';
import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import { fromClient } from '../backplane/origin.js';
import type { Session } from '../backplane/session.js';
import { metrics } from '../ops/metrics.js';
import { type AttachmentRules, checkAttachment } from './attachments.js';
import type { Delivery } from './delivery.js';
import { checkIsSelf } from './is-self.js';
import type { Push } from './push.js';
import type { Rate } from './rates.js';
import type { ChatStore } from './store/chat-store.js';
import { messageOnWire } from './wire.js';

export interface MessagesParts {
  readonly config: AttachmentRules;
  readonly store: ChatStore;
  readonly delivery: Delivery;
  readonly push: Push;
  readonly rate: Rate;
}

/**
 * What people say in conversations, and what becomes of it. It is answered when it is kept; the others
 * are told beside the answer, so no answer waits for Redis.
 */
@WebSocketGateway({ namespace: '/chat' })
export class ChatMessagesGateway {
  constructor(private readonly parts: MessagesParts) {}

  @SubscribeMessage('send-message')
  async send(session: Session, payload: ChatClientPayload<'send-message'>): Promise<Message> {
    const origin = fromClient();
    try {
      const { message, duplicate } = await this.keep(session, payload);
      metrics.chatMessages.add(duplicate ? 'duplicate' : 'sent');
      // Also when it was kept before: the node that kept it may have told nobody. After the answer, so
      // that the sender gets both at once.
      process.nextTick(() =>
        this.parts.delivery.announce(message.conversation_id, {
          seq: message.seq,
          event: 'receive-message',
          payload: message,
          origin,
        }),
      );
      if (!duplicate) this.parts.push.tell(message);
      return message;
    } catch (error) {
      metrics.chatMessages.add(toGatewayError(error).code);
      throw error;
    }
  }

  @SubscribeMessage('edit-message')
  async edit(
    session: Session,
    { message_id, content }: ChatClientPayload<'edit-message'>,
  ): Promise<Message> {
    const { rate, store } = this.parts;
    rate.take(session.principal.userId);
    const edited = await store.edit(message_id, session.principal.userId, content);
    if (!edited) throw new GatewayError('message_not_found');
    return this.tellOthers(session, 'message-updated', messageOnWire(edited));
  }

  @SubscribeMessage('delete-message')
  async remove(
    session: Session,
    { message_id }: ChatClientPayload<'delete-message'>,
  ): Promise<Message> {
    const { rate, store } = this.parts;
    rate.take(session.principal.userId);
    const removed = await store.remove(message_id, session.principal.userId);
    if (!removed) throw new GatewayError('message_not_found');
    return this.tellOthers(session, 'message-deleted', messageOnWire(removed));
  }

  @SubscribeMessage('add-reaction')
  react(session: Session, payload: ChatClientPayload<'add-reaction'>) {
    return this.changeReaction(session, payload, true);
  }

  @SubscribeMessage('remove-reaction')
  takeBack(session: Session, payload: ChatClientPayload<'remove-reaction'>) {
    return this.changeReaction(session, payload, false);
  }

  private async keep(session: Session, payload: ChatClientPayload<'send-message'>) {
    const { config, rate, store } = this.parts;
    const { attachment } = payload;
    checkIsSelf(session, payload.sender_id);
    if (attachment) checkAttachment(attachment, config);
    rate.take(session.principal.userId);
    const sent = await store.send({
      conversationId: payload.conversation_id,
      senderId: session.principal.userId,
      type: payload.message_type,
      content: payload.content,
      attachment,
      clientMessageId: payload.client_message_id,
    });
    if (!sent) throw new GatewayError('conversation_not_found');
    return { message: messageOnWire(sent.message), duplicate: sent.duplicate };
  }

  private tellOthers(
    { id }: Session,
    event: 'message-updated' | 'message-deleted',
    message: Message,
  ): Message {
    const { conversation_id, seq } = message;
    const telling = { seq, event, payload: message, exceptSession: id };
    this.parts.delivery.announce(conversation_id, telling);
    return message;
  }

  private async changeReaction(
    { id, principal: { userId } }: Session,
    { message_id, reaction }: ChatClientPayload<'add-reaction'>,
    on: boolean,
  ): Promise<ChatServerPayload<'reaction-added'>> {
    const { delivery, rate, store } = this.parts;
    rate.take(userId);
    const change = await store.react({ messageId: message_id, userId, reaction, on });
    if (!change) throw new GatewayError('message_not_found');
    const { conversationId, seq } = change;
    const payload = {
      conversation_id: conversationId,
      message_id,
      seq,
      user_id: wireId(userId),
      reaction,
      timestamp: new Date().toISOString(),
    };
    const event = on ? 'reaction-added' : 'reaction-removed';
    if (change.changed)
      delivery.announce(conversationId, { seq, event, payload, exceptSession: id });
    return payload;
  }
}
