import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { ClientPayload } from '@streamgate/protocol/client-events';
import { GatewayError } from '@streamgate/protocol/errors';
import { userOf } from '@streamgate/protocol/principal';
import { userRoom } from '@streamgate/protocol/rooms';
import type { Delivered, ServerPayload } from '@streamgate/protocol/server-events';
import type { Session } from '../backplane/session.js';
import { Presence } from '../presence/presence.js';
import { Rooms } from '../rooms/rooms.js';

/** What people say to everyone, to one user, in a room: document 3. */
@WebSocketGateway()
export class MessagesGateway {
  constructor(
    private readonly rooms: Rooms,
    private readonly presence: Presence,
  ) {}

  @SubscribeMessage('send-message')
  send(session: Session, { message, to }: ClientPayload<'send-message'>): Promise<Delivered> {
    const words = wordsOf(session, message);
    if (to !== undefined) return this.sendTo(session, to, words);
    return this.rooms.speak(session, { to: '*', event: 'broadcast-message', args: [words] });
  }

  @SubscribeMessage('room-message')
  sendToRoom(
    session: Session,
    { room, message }: ClientPayload<'room-message'>,
  ): Promise<Delivered> {
    return this.rooms.speakIn(session, room, 'room-message', {
      ...wordsOf(session, message),
      room,
    });
  }

  private async sendTo(
    session: Session,
    userId: string,
    words: ServerPayload<'private-message'>,
  ): Promise<Delivered> {
    const { namespace } = session;
    if (!(await this.presence.isOnline(namespace, userId))) throw new GatewayError('user_offline');
    const delivered = await this.rooms.speak(session, {
      to: [userRoom(userId)],
      event: 'private-message',
      args: [words],
    });
    // Delivered on this node only, where nobody was to hear it.
    if (delivered.scope === 'local' && !this.presence.isHere(namespace, userId))
      throw new GatewayError('backplane_unavailable');
    return delivered;
  }
}

function wordsOf(session: Session, message: string): ServerPayload<'private-message'> {
  return { from: userOf(session.principal), message, timestamp: new Date().toISOString() };
}
