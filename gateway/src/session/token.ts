import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { ClientPayload } from '@streamgate/protocol/client-events';
import type { ServerPayload } from '@streamgate/protocol/server-events';
import type { Session } from '../backplane/session.js';

/** A new token for a session that goes on: the contract, "Expiry while connected". */
@WebSocketGateway()
export class TokenGateway {
  @SubscribeMessage('refresh-token')
  async refresh(
    session: Session,
    { token }: ClientPayload<'refresh-token'>,
  ): Promise<ServerPayload<'token-refreshed'>> {
    const expiresAt = await session.renew(token);
    return { expiresAt: expiresAt === undefined ? null : new Date(expiresAt).toISOString() };
  }
}

/** The same on `/chat`. */
@WebSocketGateway({ namespace: '/chat' })
export class ChatTokenGateway extends TokenGateway {}
