import { GatewayError } from '@streamgate/protocol/errors';
import type { Principal } from '@streamgate/protocol/principal';
import { type HandshakeParts, presentedToken } from './presented-token.js';
import type { TokenVerifier } from './tokens.js';

/**
 * Who a client is that asks for a namespace.
 * @throws GatewayError as the verifier, and `authentication_failed` without a token, `user_mismatch`
 *   when document 2's `userId` beside it names somebody else
 */
export async function authenticate(
  tokens: Pick<TokenVerifier, 'verify'>,
  namespace: string,
  handshake: HandshakeParts,
): Promise<Principal> {
  const token = presentedToken(handshake);
  if (token === undefined) throw new GatewayError('authentication_failed');
  const principal = await tokens.verify(token);
  if (namespace === '/chat')
    // The query of a version 2 client for a namespace comes as its `auth`.
    for (const part of [handshake.query, handshake.auth]) {
      const { userId } = part as { userId?: unknown };
      const named = typeof userId === 'number' ? String(userId) : userId;
      if (named !== undefined && named !== principal.userId)
        throw new GatewayError('user_mismatch');
    }
  return principal;
}
