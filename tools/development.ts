import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import type { Config } from '../gateway/dist/config.js';
import { signToken, TOKEN_HOURS } from '../gateway/dist/ingest/http/development-token.js';

type Env = NodeJS.ProcessEnv;

const KEYS = ['JWT_SECRET', 'JWT_PUBLIC_KEY', 'JWT_JWKS_URL'];

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
      return `export ${name.toUpperCase()}=${await signToken(config, name, roles)}`;
    }),
  );
  return `Tokens for ${TOKEN_HOURS} hours, to paste into another shell:\n\n${lines.join('\n')}\n`;
}
