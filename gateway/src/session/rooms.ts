import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { ClientPayload } from '@streamgate/protocol/client-events';
import type { ServerPayload } from '@streamgate/protocol/server-events';
import type { Session } from '../backplane/session.js';
import { Typing } from '../presence/typing.js';
import { Rooms } from '../rooms/rooms.js';

/** Joining and leaving, as document 3 (`join-room`) and document 4 (`join_room`) spell them. */
@WebSocketGateway()
export class RoomsGateway {
  constructor(
    private readonly rooms: Rooms,
    private readonly typing: Typing,
  ) {}

  @SubscribeMessage('join-room')
  async join(
    session: Session,
    { room }: ClientPayload<'join-room'>,
  ): Promise<ServerPayload<'joined-room'>> {
    await this.rooms.join(session, room);
    return { room, message: `Joined room ${room}` };
  }

  @SubscribeMessage('join_room')
  joinToo(session: Session, payload: ClientPayload<'join_room'>) {
    return this.join(session, payload);
  }

  @SubscribeMessage('leave-room')
  async leave(
    session: Session,
    { room }: ClientPayload<'leave-room'>,
  ): Promise<ServerPayload<'left-room'>> {
    this.typing.left(session, room);
    await this.rooms.leave(session, room);
    return { room, message: `Left room ${room}` };
  }

  @SubscribeMessage('leave_room')
  leaveToo(session: Session, payload: ClientPayload<'leave_room'>) {
    return this.leave(session, payload);
  }
}
