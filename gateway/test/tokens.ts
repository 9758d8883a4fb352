import { SignJWT } from 'jose';
import { SECRET } from './node.js';

/** Who a token of the tests says you are; what is left out is made from the id. */
export interface Person {
  readonly id: string;
  readonly username?: string;
  readonly roles?: readonly string[];
  readonly claims?: Record<string, unknown>;
}

/** A person as every event and list shows it. */
export function shown(person: Person): { id: string; username: string; roles: string[] } {
  return {
    id: person.id,
    username: person.username ?? person.id,
    roles: [...(person.roles ?? [])],
  };
}

/**
 * An HS256 token.
 * @param expiresIn seconds from now; negative: expired already
 */
export function tokenOf(person: Person, expiresIn = 3600, secret = SECRET): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({
    sub: person.id,
    username: person.username ?? person.id,
    roles: person.roles ?? [],
    iat: now,
    exp: now + expiresIn,
    ...person.claims,
  })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret));
}
