import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { UNREAD_MAX, wireId } from '@streamgate/protocol/chat';
import type { ChatClientPayload } from '@streamgate/protocol/chat-client-events';
import type { ChatServerPayload } from '@streamgate/protocol/chat-server-events';
import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import { userRoom } from '@streamgate/protocol/rooms';
import type { Delivered } from '@streamgate/protocol/server-events';
import type { Backplane } from '../backplane/backplane.js';
import { announce, forward } from '../backplane/forward.js';
import type { Session } from '../backplane/session.js';
import { log } from '../ops/log.js';
import { CHAT, type Delivery } from './delivery.js';
import type { ChatStore, Marked } from './store/chat-store.js';

export interface ReceiptsParts {
  readonly backplane: Backplane;
  readonly store: Pick<ChatStore, 'markDelivered' | 'markRead' | 'unreadOf'>;
  readonly delivery: Delivery;
}

type Receipt = ChatClientPayload<'message-read'>;

/** What has arrived, what was read, and what was not. */
@WebSocketGateway({ namespace: '/chat' })
export class ChatReceiptsGateway {
  constructor(private readonly parts: ReceiptsParts) {}

  @SubscribeMessage('message-delivered')
  async delivered(session: Session, receipt: Receipt): Promise<Delivered> {
    const marked = await this.mark(session, receipt, 'markDelivered');
    return this.tell(session, 'message-delivered', receipt, marked);
  }

  @SubscribeMessage('message-read')
  async read(session: Session, receipt: Receipt): Promise<ChatServerPayload<'unread-counts'>> {
    const marked = await this.mark(session, receipt, 'markRead');
    const { changed, unread } = marked;
    const counts = { conversations: [{ conversationId: receipt.conversation_id, unread }] };
    if (!changed) return counts;
    // No reply waits for Redis.
    this.tell(session, 'message-read', receipt, marked).catch((error: unknown) => {
      log.error({ err: toGatewayError(error), event: 'message-read' }, 'announcement failed');
    });
    announce(this.parts.backplane, {
      namespace: CHAT,
      to: [userRoom(session.principal.userId)],
      exceptSessions: [session.id],
      event: 'unread-counts',
      args: [counts],
    });
    return counts;
  }

  /** Of all conversations with any. @throws GatewayError `database_unavailable` */
  async unread({ principal }: Session): Promise<ChatServerPayload<'unread-counts'>> {
    const unread = await this.parts.store.unreadOf(principal.userId, UNREAD_MAX);
    return {
      conversations: unread.map(({ conversationId, unread: count }) => ({
        conversationId,
        unread: count,
      })),
    };
  }

  /** To all who have joined, or to those alone who wrote what was marked; see `Marked.writers`. */
  private async tell(
    session: Session,
    event: 'message-delivered' | 'message-read',
    receipt: Receipt,
    { seq, changed, writers }: Marked,
  ): Promise<Delivered> {
    const { backplane, delivery } = this.parts;
    if (!changed || writers?.length === 0) return { scope: 'cluster' };
    const payload = actOf(session, receipt, seq);
    if (!writers)
      return delivery.tell(receipt.conversation_id, {
        seq,
        event,
        payload,
        exceptSession: session.id,
      });
    const to = writers.map(userRoom);
    return forward(backplane, { namespace: CHAT, to, event, args: [payload] });
  }

  private async mark(
    { principal: { userId } }: Session,
    { conversation_id, message_id }: Receipt,
    how: 'markDelivered' | 'markRead',
  ): Promise<Marked> {
    const receipt = { conversationId: conversation_id, userId, messageId: message_id };
    const marked = await this.parts.store[how](receipt);
    if (!marked) throw new GatewayError('message_not_found');
    return marked;
  }
}

function actOf(
  { principal }: Session,
  { conversation_id, message_id }: Receipt,
  seq: number,
): ChatServerPayload<'message-read'> {
  return {
    conversation_id,
    message_id,
    seq,
    user_id: wireId(principal.userId),
    timestamp: new Date().toISOString(),
  };
}
