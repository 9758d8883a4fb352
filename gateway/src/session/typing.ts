import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { ClientPayload } from '@streamgate/protocol/client-events';
import type { Delivered } from '@streamgate/protocol/server-events';
import type { Session } from '../backplane/session.js';
import { Typing } from '../presence/typing.js';
import { Rooms } from '../rooms/rooms.js';

/** Typing indicators: document 4. */
@WebSocketGateway()
export class TypingGateway {
  constructor(
    private readonly rooms: Rooms,
    private readonly typing: Typing,
  ) {}

  @SubscribeMessage('typing_start')
  start(
    session: Session,
    { room, discussionId }: ClientPayload<'typing_start'>,
  ): Promise<Delivered> {
    this.rooms.checkSpeak(session, room);
    return this.typing.start(session, room, discussionId);
  }

  @SubscribeMessage('typing_stop')
  stop(session: Session, { room, discussionId }: ClientPayload<'typing_stop'>): Promise<Delivered> {
    this.rooms.checkSpeak(session, room);
    return this.typing.stop(session, room, discussionId);
  }
}
