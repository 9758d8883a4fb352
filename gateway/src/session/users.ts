import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { ClientPayload } from '@streamgate/protocol/client-events';
import { GatewayError } from '@streamgate/protocol/errors';
import type { ActiveUsers, UsersStats } from '@streamgate/protocol/server-events';
import type { Session } from '../backplane/session.js';
import { Presence } from '../presence/presence.js';

/** Who is connected: document 3. */
@WebSocketGateway()
export class UsersGateway {
  constructor(private readonly presence: Presence) {}

  @SubscribeMessage('get-active-users')
  activeUsers(session: Session, page: ClientPayload<'get-active-users'>): Promise<ActiveUsers> {
    this.checkMayList(session);
    return this.presence.activeUsers(session.namespace, page);
  }

  @SubscribeMessage('get-users-stats')
  stats(session: Session, page: ClientPayload<'get-users-stats'>): Promise<UsersStats> {
    this.checkMayList(session);
    return this.presence.stats(session.namespace, page);
  }

  private checkMayList(session: Session): void {
    if (!this.presence.mayList(session.principal)) throw new GatewayError('forbidden');
  }
}
