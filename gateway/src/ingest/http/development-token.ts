import { SignJWT } from 'jose';
import type { Config } from '../../config.js';

/** How long a token of development lives. */
export const TOKEN_HOURS = 12;

type TokenConfig = Pick<
  Config,
  'jwtSecret' | 'jwtIssuer' | 'jwtAudience' | 'jwtUserClaim' | 'jwtUsernameClaim' | 'jwtRolesClaim'
>;

/**
 * A token that the node with this configuration accepts, for development.
 * @param name user id and user name
 * @throws Error when tokens are signed elsewhere (public key, JWKS)
 */
export function signToken(
  config: TokenConfig,
  name: string,
  roles: readonly string[],
): Promise<string> {
  const { jwtSecret, jwtIssuer, jwtAudience } = config;
  if (jwtSecret === undefined) throw new Error('there is no secret to sign with');
  const claims = {};
  setPath(claims, config.jwtUserClaim[0], name);
  setPath(claims, config.jwtUsernameClaim[0], name);
  setPath(claims, config.jwtRolesClaim[0], roles);
  const jwt = new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt()
    .setExpirationTime(`${TOKEN_HOURS}h`);
  if (jwtIssuer) jwt.setIssuer(jwtIssuer);
  if (jwtAudience) jwt.setAudience(jwtAudience);
  return jwt.sign(new TextEncoder().encode(jwtSecret));
}

/** Sets `value` at a dotted path, as the claims of the configuration are written. */
function setPath(target: Record<string, unknown>, path: string | undefined, value: unknown): void {
  const keys = path?.split('.') ?? [];
  const last = keys.pop();
  if (last === undefined) return;
  let inner = target;
  for (const key of keys) inner = (inner[key] ??= {}) as Record<string, unknown>;
  inner[last] = value;
}
