import type { Emitter } from '../emitter.js';
import type { Presence } from '../presence.js';

/** What services of document 3 call: to a user, to everyone, to a role, how many are connected. */
export interface UserManagement {
  /** @returns whether the user is connected; nothing is kept for one who is not */
  sendToUser(userId: string | number, event: string, data: unknown): Promise<boolean>;
  broadcastToAll(event: string, data: unknown): Promise<void>;
  /** @param role spelled exactly as in the tokens */
  broadcastToRole(role: string, event: string, data: unknown): Promise<void>;
  /** Cluster-wide. */
  getActiveUsersCount(): Promise<number>;
}

/** Document 3's `WebSocketGatewayService` and `SocketManagerService`, as far as services use them. */
export function userManagement(emitter: Emitter, presence: Presence): UserManagement {
  return {
    async sendToUser(userId, event, data) {
      const { sessions } = await emitter.toUser(userId).receipt().emit(event, data);
      return sessions !== 0;
    },
    async broadcastToAll(event, data) {
      await emitter.broadcast().emit(event, data);
    },
    async broadcastToRole(role, event, data) {
      await emitter.toRole(role).emit(event, data);
    },
    getActiveUsersCount: () => presence.activeUsersCount(),
  };
}
