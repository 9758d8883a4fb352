import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { wireId } from '@streamgate/protocol/chat';
import type { ChatClientPayload } from '@streamgate/protocol/chat-client-events';
import type { ChatServerPayload } from '@streamgate/protocol/chat-server-events';
import { conversationOf, conversationRoom } from '@streamgate/protocol/rooms';
import type { Delivered } from '@streamgate/protocol/server-events';
import type { Session } from '../backplane/session.js';
import type { Attendee } from '../inbox/attendee.js';
import type { Indicator, Typing } from '../presence/typing.js';
import type { ConversationRooms } from './conversation-rooms.js';
import { checkIsSelf } from './is-self.js';
import type { Rate } from './rates.js';

/** Joining and leaving conversations, and typing in them. */
@WebSocketGateway({ namespace: '/chat' })
export class ChatJoinsGateway {
  constructor(
    private readonly rooms: ConversationRooms,
    private readonly typing: Typing,
    private readonly typingRate: Rate,
  ) {}

  @SubscribeMessage('join-conversation')
  async join(
    session: Attendee,
    { conversationId, userId, since }: ChatClientPayload<'join-conversation'>,
  ): Promise<ChatServerPayload<'joined-conversation'>> {
    checkIsSelf(session, userId);
    const lastSeq = await this.rooms.join(session, conversationId, since);
    return { conversationId, success: true, lastSeq };
  }

  @SubscribeMessage('leave-conversation')
  async leave(
    session: Session,
    { conversationId }: ChatClientPayload<'leave-conversation'>,
  ): Promise<ChatServerPayload<'left-conversation'>> {
    this.typing.left(session, conversationRoom(conversationId));
    await this.rooms.leave(session, conversationId);
    return { conversationId, success: true };
  }

  @SubscribeMessage('typing')
  typingIn(
    session: Session,
    { conversationId, userId, isTyping }: ChatClientPayload<'typing'>,
  ): Promise<Delivered> {
    checkIsSelf(session, userId);
    this.rooms.checkJoined(session, conversationId);
    const room = conversationRoom(conversationId);
    if (!isTyping) return this.typing.stop(session, room);
    this.typingRate.take(session.principal.userId);
    return this.typing.start(session, room);
  }
}

/** How the others in a conversation are told. */
export const userTyping: Indicator = (session, room, _discussionId, isTyping) => {
  const payload: ChatServerPayload<'user-typing'> = {
    conversationId: conversationOf(room)!,
    userId: wireId(session.principal.userId),
    isTyping,
  };
  return { event: 'user-typing', args: [payload] };
};
