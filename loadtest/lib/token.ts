import { hmac } from 'k6/crypto';
import { b64encode } from 'k6/encoding';

/**
 * A token that a gateway with this secret accepts (JWT, HS256): for tests, where the one who tests
 * knows the secret. `claims` are at least `sub`; the token is good for `seconds` from now.
 */
export function token(
  claims: { sub: string; [claim: string]: unknown },
  secret: string,
  seconds = 3600,
): string {
  const now = Math.floor(Date.now() / 1000);
  const part = (value: object) => b64encode(JSON.stringify(value), 'rawurl');
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iat: now, exp: now + seconds, ...claims })}`;
  return `${text}.${hmac('sha256', secret, text, 'base64rawurl')}`;
}
