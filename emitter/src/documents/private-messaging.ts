import type { Emitter } from '../emitter.js';
import type { Presence } from '../presence.js';

/** What services of document 5 call on its `AppGateway`. */
export interface PrivateMessaging {
  /** @returns whether the user is connected; nothing is kept for one who is not */
  sendMessageToUser(userId: string, event: string, message: unknown): Promise<boolean>;
  /** Cluster-wide. */
  isUserConnected(userId: string): Promise<boolean>;
}

/** Document 5's `AppGateway`, as far as services use it. */
export function privateMessaging(emitter: Emitter, presence: Presence): PrivateMessaging {
  return {
    async sendMessageToUser(userId, event, message) {
      const { sessions } = await emitter.toUser(userId).receipt().emit(event, message);
      return sessions !== 0;
    },
    isUserConnected: (userId) => presence.isConnected(userId),
  };
}
