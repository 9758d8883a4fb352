import { claimAt } from '@streamgate/protocol/claims';
import type { Principal } from '@streamgate/protocol/principal';
import { isRoomName, roleRoom, userRoom } from '@streamgate/protocol/rooms';
import type { Config } from '../config.js';

export type ClaimPaths = Pick<Config, 'jwtUserClaim' | 'jwtUsernameClaim' | 'jwtRolesClaim'>;
type Claims = Readonly<Record<string, unknown>>;

const USER_ID_MAX = 190;
const USERNAME_MAX = 200;
const ROLES_MAX = 200;
/** The last millisecond that a `Date` can name. */
const LAST_MS = 8.64e15;

/** A verified token whose claims do not make a principal; the message names the claim, not its value. */
export class ClaimError extends Error {
  override readonly name = 'ClaimError';
}

/**
 * Who the claims of a verified token say you are.
 * @throws ClaimError without a usable user id, or with more than 200 roles
 */
export function principalOf(claims: Claims, paths: ClaimPaths): Principal {
  const userId = userIdOf(firstOf(claims, paths.jwtUserClaim, isText));
  const username = usernameOf(firstOf(claims, paths.jwtUsernameClaim, isName)) || userId;
  const roles = rolesOf(firstOf(claims, paths.jwtRolesClaim, isRoles));
  const { exp } = claims;
  return Object.freeze({
    userId,
    username,
    roles: Object.freeze(roles),
    claims: Object.freeze(claims),
    expiresAt: typeof exp === 'number' ? Math.min(exp * 1000, LAST_MS) : undefined,
  });
}

function firstOf<T>(
  claims: Claims,
  paths: readonly string[],
  fits: (value: unknown) => value is T,
): T | undefined {
  for (const path of paths) {
    const value = claimAt(claims, path);
    if (fits(value)) return value;
  }
  return undefined;
}

const isText = (value: unknown): value is string | number =>
  typeof value === 'string' || typeof value === 'number';
const isName = (value: unknown): value is string | number => isText(value) && value !== '';
const isRoles = (value: unknown): value is string | readonly unknown[] =>
  typeof value === 'string' || Array.isArray(value);

function userIdOf(value: string | number | undefined): string {
  if (value === undefined) throw new ClaimError('no user id');
  // Beyond 2^53 different users would become one.
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw new ClaimError('the user id is a number without an exact value');
  const id = String(value);
  if (id === '' || id.length > USER_ID_MAX || !isRoomName(userRoom(id)))
    throw new ClaimError('the user id is empty, too long or not printable');
  return id;
}

function usernameOf(value: string | number | undefined): string {
  return String(value ?? '')
    .replace(/\p{Cc}/gu, '')
    .slice(0, USERNAME_MAX)
    .toWellFormed();
}

/** Roles that no room could be named after are left out: they could never be addressed. */
function rolesOf(value: string | readonly unknown[] | undefined): string[] {
  const items = typeof value === 'string' ? value.split(/[\s,]+/) : (value ?? []);
  const roles = new Set<string>();
  for (const item of items)
    if (typeof item === 'string' && item !== '' && isRoomName(roleRoom(item))) roles.add(item);
  if (roles.size > ROLES_MAX) throw new ClaimError('too many roles');
  return [...roles];
}
