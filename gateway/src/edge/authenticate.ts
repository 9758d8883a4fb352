import { GatewayError } from '@streamgate/protocol/errors';
import { ClaimError, principalOf } from './claims.js';
import type { Principal } from '@streamgate/protocol/principal';
import { type HandshakeParts, presentedToken } from './presented-token.js';
import type { TokenVerifier } from './tokens.js';

/** How document 2 names a user: in the query, which for a version 2 client comes as its `auth`. */
function namedUsers({ query, auth }: HandshakeParts): unknown[] {
  return [query, auth].flatMap((part) => {
    const { userId } = part as { userId?: unknown };
    return userId === undefined ? [] : [typeof userId === 'number' ? String(userId) : userId];
  });
}

/**
 * Who a client is that asks for a namespace.
 * @param insecure `STREAMGATE_INSECURE_QUERY_USER`: on `/chat` a client without a token is who it says
 * @throws GatewayError as the verifier, and `authentication_failed` without a token, `user_mismatch`
 *   when document 2's `userId` beside it names somebody else
 */
export async function authenticate(
  tokens: Pick<TokenVerifier, 'verify'>,
  namespace: string,
  handshake: HandshakeParts,
  insecure = false,
): Promise<Principal> {
  const token = presentedToken(handshake);
  const named = namespace === '/chat' ? namedUsers(handshake) : [];
  const principal =
    token !== undefined ? await tokens.verify(token) : insecure ? believed(named[0]) : undefined;
  if (!principal) throw new GatewayError('authentication_failed');
  if (named.some((userId) => userId !== principal.userId)) throw new GatewayError('user_mismatch');
  return principal;
}

/** Undefined when this cannot be a user. */
function believed(userId: unknown): Principal | undefined {
  if (typeof userId !== 'string') return undefined;
  try {
    return principalOf(
      { userId },
      { jwtUserClaim: ['userId'], jwtUsernameClaim: [], jwtRolesClaim: [] },
    );
  } catch (error) {
    if (error instanceof ClaimError) return undefined;
    throw error;
  }
}
