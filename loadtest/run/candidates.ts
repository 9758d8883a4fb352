import { join } from 'node:path';
import { GATEWAY, type NodeProgram } from '../../tools/cluster-parts.ts';

const COLLECTING = ['--expose-gc', '--import', join(import.meta.dirname, 'collect-on-signal.js')];

/** Load comes from one address that is many people, so what limits addresses does not limit it. */
const MANY = '1000000';

/** Ours as it is by default, but for what one address may do. */
export function gatewayEnv(secret: string): Record<string, string> {
  return {
    STREAMGATE_MODE: 'production',
    STREAMGATE_JWT_SECRET: secret,
    STREAMGATE_HOST: '127.0.0.1',
    STREAMGATE_LOG_LEVEL: 'warn',
    STREAMGATE_CONNECTS_PER_SECOND: MANY,
    STREAMGATE_MAX_SESSIONS_PER_ADDRESS: MANY,
    // The stock gateway tells nobody who comes and goes.
    STREAMGATE_ANNOUNCE_MAX_USERS: '0',
  };
}

export const STREAMGATE: NodeProgram = { ...GATEWAY, args: [...COLLECTING, ...GATEWAY.args] };

/** The stock Nest gateway of the benches with the Redis streams adapter and its connection state recovery. */
export const STOCK: NodeProgram = {
  args: [...COLLECTING, join(import.meta.dirname, '../../gateway/dist/bench/stock/main.js')],
  env: ({ url }, redisUrl) => ({
    BENCH_PORT: new URL(url).port,
    BENCH_REDIS_URL: redisUrl,
    BENCH_RECOVERY: '1',
    BENCH_STREAM: 'streamgate:emit',
  }),
  readyUrl: ({ url }) => `${url}/socket.io/?EIO=4&transport=polling`,
};

export function stockEnv(secret: string): Record<string, string> {
  return { BENCH_JWT_SECRET: secret, BENCH_HANDLERS: '13' };
}
