import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { ClientPayload } from '@streamgate/protocol/client-events';
import type { ServerPayload } from '@streamgate/protocol/server-events';
import type { Session } from '../backplane/session.js';

/** What the gateway itself answers: documents 1 and 5. */
@WebSocketGateway()
export class EchoGateway {
  @SubscribeMessage('ping')
  ping(_session: Session, data: ClientPayload<'ping'>): ServerPayload<'pong'> {
    const timestamp = new Date().toISOString();
    return data === undefined ? { timestamp } : { timestamp, data };
  }

  @SubscribeMessage('message')
  message(
    _session: Session,
    { message }: ClientPayload<'message'>,
  ): ServerPayload<'messageReceived'> {
    return {
      success: true,
      message: 'Message received by server',
      data: { receivedMessage: message, timestamp: new Date().toISOString() },
    };
  }
}
