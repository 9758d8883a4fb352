import { GatewayError } from '@streamgate/protocol/errors';
import type { Session } from '../backplane/session.js';

/**
 * Document 2's clients say who they are with everything they say.
 * @throws GatewayError `user_mismatch` when it is not the session's user
 */
export function checkIsSelf({ principal }: Session, userId: string | undefined): void {
  if (userId !== undefined && userId !== principal.userId) throw new GatewayError('user_mismatch');
}
