import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { SignJWT } from 'jose';
import type { Config } from '../gateway/dist/config.js';

type Env = NodeJS.ProcessEnv;

const KEYS = ['JWT_SECRET', 'JWT_PUBLIC_KEY', 'JWT_JWKS_URL'];
const TOKEN_HOURS = 12;

/** What `make run` adds to the environment: development mode, and a secret made for this run. */
export function developmentDefaults(env: Env): Env {
  const mode = env.STREAMGATE_MODE || 'development';
  const isSet = (name: string) => env[`STREAMGATE_${name}`] || env[`STREAMGATE_${name}_FILE`];
  if (mode !== 'development' || KEYS.some(isSet)) return { STREAMGATE_MODE: mode };
  return { STREAMGATE_MODE: mode, STREAMGATE_JWT_SECRET: randomBytes(32).toString('base64url') };
}

/** A port that is free now: `preferred` where possible, else any. */
export async function freePort(preferred: number): Promise<number> {
  return (await listenBriefly(preferred)) ?? (await listenBriefly(0)) ?? 0;
}

/** The port that was listened on, or undefined when somebody else listens on it. */
async function listenBriefly(port: number): Promise<number | undefined> {
  const server = createServer();
  const taken = await new Promise<number | undefined>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(port, () => {
      const address = server.address();
      resolve(typeof address === 'object' ? address?.port : undefined);
    });
  });
  server.close();
  return taken;
}

/**
 * Lines to paste into a shell: a token for alice (no special role), admin and service, signed with
 * the secret of `config`. Undefined when tokens are signed elsewhere (public key, JWKS).
 */
export async function tokenLines(config: Config): Promise<string | undefined> {
  if (!config.jwtSecret) return undefined;
  const users = { alice: [], admin: ['admin'], service: ['service'] };
  const lines = await Promise.all(
    Object.entries(users).map(async ([name, roles]) => {
      return `export ${name.toUpperCase()}=${await sign(config, name, roles)}`;
    }),
  );
  return `Tokens for ${TOKEN_HOURS} hours, to paste into another shell:\n\n${lines.join('\n')}\n`;
}

async function sign(config: Config, name: string, roles: string[]): Promise<string> {
  const claims = {};
  setPath(claims, config.jwtUserClaim[0], name);
  setPath(claims, config.jwtUsernameClaim[0], name);
  setPath(claims, config.jwtRolesClaim[0], roles);
  const jwt = new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt()
    .setExpirationTime(`${TOKEN_HOURS}h`);
  if (config.jwtIssuer) jwt.setIssuer(config.jwtIssuer);
  if (config.jwtAudience) jwt.setAudience(config.jwtAudience);
  return jwt.sign(new TextEncoder().encode(config.jwtSecret));
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
