import { randomBytes } from 'node:crypto';
import { Server } from './server.js';

/** The two programs that are compared, with nothing in their way: limits up, no announcements. */

export const secret = randomBytes(32).toString('hex');

const oursProgram = new URL('../main.js', import.meta.url);
const stockProgram = new URL('stock/main.js', import.meta.url);
const bareProgram = new URL('bare/main.js', import.meta.url);
const startTracing = new URL('../start-tracing.js', import.meta.url);
const traceSwitch = new URL('trace-switch.js', import.meta.url);
const unlimited = '1000000';

/** Ours as it is by default, its log included. One machine is many users here, so limits are raised. */
export function startOurs(
  redisUrl?: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Server> {
  return Server.start(oursProgram, oursEnv(redisUrl, env));
}

/** The same with what traces it, as in production, and what turns that off and on. */
export function startTraced(
  redisUrl: string,
  env: Readonly<Record<string, string>>,
): Promise<Server> {
  return Server.start(oursProgram, oursEnv(redisUrl, env), [startTracing, traceSwitch]);
}

function oursEnv(
  redisUrl: string | undefined,
  env: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    STREAMGATE_JWT_SECRET: secret,
    STREAMGATE_HOST: '127.0.0.1',
    STREAMGATE_HTTP_PORT: '0',
    STREAMGATE_MANAGEMENT_PORT: '0',
    STREAMGATE_CORS_ORIGINS: '*',
    STREAMGATE_CONNECTS_PER_SECOND: unlimited,
    STREAMGATE_MAX_SESSIONS_PER_ADDRESS: unlimited,
    STREAMGATE_EVENTS_PER_SECOND: unlimited,
    STREAMGATE_EVENTS_BURST: unlimited,
    STREAMGATE_BYTES_PER_SECOND: String(2 ** 30),
    // The stock gateway tells nobody who comes and goes.
    STREAMGATE_ANNOUNCE_MAX_USERS: '0',
    ...(redisUrl ? { STREAMGATE_REDIS_URL: redisUrl } : {}),
    ...env,
  };
}

/** The stock gateway. @param handlers bound to every session: as many as ours has, or 30 */
export function startStock(redisUrl?: string, handlers: 13 | 30 = 13): Promise<Server> {
  return Server.start(stockProgram, {
    BENCH_JWT_SECRET: secret,
    BENCH_HANDLERS: String(handlers),
    ...(redisUrl ? { BENCH_REDIS_URL: redisUrl } : {}),
  });
}

/** A bare loop that reads a stream and publishes, as little as a stream door can be. */
export function startBare(redisUrl: string, stream: string): Promise<Server> {
  return Server.start(bareProgram, { BENCH_REDIS_URL: redisUrl, BENCH_STREAM: stream });
}
