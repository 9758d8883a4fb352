import { z } from 'zod';

/** A user as every event and list shows it. */
export const User = z.object({
  id: z.string(),
  username: z.string(),
  roles: z.array(z.string()),
});
export type User = z.infer<typeof User>;

/** Who a verified token says you are. */
export interface Principal {
  readonly userId: string;
  readonly username: string;
  readonly roles: readonly string[];
  /** All claims of the token, for room rules; never sent to clients, never logged. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Milliseconds since the epoch; undefined for a token without `exp`. */
  readonly expiresAt: number | undefined;
}

/** The public part of a principal. */
export function userOf(principal: Principal): User {
  return { id: principal.userId, username: principal.username, roles: [...principal.roles] };
}

/** Whether one of the roles is enough; `*` is anyone. Permissions compare roles without case. */
export function hasRole(principal: Principal, roles: readonly string[]): boolean {
  if (roles.includes('*')) return true;
  const wanted = new Set(roles.map((role) => role.toLowerCase()));
  return principal.roles.some((role) => wanted.has(role.toLowerCase()));
}
