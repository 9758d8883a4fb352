import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { ClientPayload } from '@streamgate/protocol/client-events';
import type { ServerPayload } from '@streamgate/protocol/server-events';
import { EventsOut } from '../backplane/events-out.js';
import type { Session } from '../backplane/session.js';

/** What the gateway itself answers: documents 1 and 5. */
@WebSocketGateway()
export class EchoGateway {
  constructor(private readonly eventsOut: EventsOut) {}

  @SubscribeMessage('ping')
  ping(_session: Session, data: ClientPayload<'ping'>): ServerPayload<'pong'> {
    const timestamp = new Date().toISOString();
    return data === undefined ? { timestamp } : { timestamp, data };
  }

  /** Answered when services can read it, if they asked to. */
  @SubscribeMessage('message')
  message(
    session: Session,
    payload: ClientPayload<'message'>,
  ): ServerPayload<'messageReceived'> | Promise<ServerPayload<'messageReceived'>> {
    if (!this.eventsOut.wants('message')) return received(payload);
    return this.eventsOut
      .write({
        type: 'message',
        nsp: session.namespace,
        userId: session.principal.userId,
        sessionId: session.id,
        event: 'message',
        data: payload,
      })
      .then(() => received(payload));
  }
}

function received({ message }: ClientPayload<'message'>): ServerPayload<'messageReceived'> {
  return {
    success: true,
    message: 'Message received by server',
    data: { receivedMessage: message, timestamp: new Date().toISOString() },
  };
}
