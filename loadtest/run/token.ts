import { signToken } from '../../gateway/dist/ingest/http/development-token.js';

/** A token that the nodes of a run take. @param secret theirs */
export function tokenFor(secret: string, user: string, roles: string[] = []): Promise<string> {
  const config = {
    jwtSecret: secret,
    jwtIssuer: undefined,
    jwtAudience: undefined,
    jwtUserClaim: ['sub'],
    jwtUsernameClaim: ['username'],
    jwtRolesClaim: ['roles'],
  };
  return signToken(config, user, roles);
}
