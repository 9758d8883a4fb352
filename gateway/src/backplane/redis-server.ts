import type { Redis } from 'ioredis';

const OLDEST_MAJOR = 7;
/** Share of `maxmemory` from which on it is worth a warning. */
const NEAR_LIMIT = 0.8;

/** A Redis on which the gateway cannot run, in words for people. */
export class UnusableRedis extends Error {
  override readonly name = 'UnusableRedis';
}

/**
 * Looks at the server: INFO has all that is to be known, CONFIG is often forbidden.
 * @returns warnings about its settings
 * @throws UnusableRedis
 */
export async function inspect(redis: Redis): Promise<string[]> {
  let text: string;
  try {
    text = await redis.info();
  } catch (error) {
    if ((error as Error).message.startsWith('NOPERM'))
      return ['the settings of Redis are unknown: its user may not call INFO'];
    throw error;
  }
  const info = new Map(
    text.split('\r\n').map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1)];
    }),
  );
  const fault = faultOf(info);
  if (fault) throw new UnusableRedis(fault);
  return warningsOf(info);
}

function faultOf(info: ReadonlyMap<string, string>): string | undefined {
  if (info.get('cluster_enabled') === '1')
    return 'STREAMGATE_REDIS_URL: a Redis Cluster is not supported in this version, only a single Redis or Sentinels';
  const version = info.get('redis_version') ?? '';
  return Number.parseInt(version, 10) < OLDEST_MAJOR
    ? `STREAMGATE_REDIS_URL: Redis ${version} is too old, 7.0 or newer (or Valkey) is needed`
    : undefined;
}

function warningsOf(info: ReadonlyMap<string, string>): string[] {
  const warnings: string[] = [];
  const policy = info.get('maxmemory_policy');
  if (policy !== 'noeviction')
    warnings.push(`maxmemory-policy is ${policy}, not noeviction: Redis may drop what is needed`);
  if (info.get('aof_enabled') !== '1')
    warnings.push('the append-only file is off: a restart of Redis loses everything');
  const limit = Number(info.get('maxmemory'));
  const used = Number(info.get('used_memory'));
  if (limit > 0 && used > limit * NEAR_LIMIT)
    warnings.push(`memory is at more than ${NEAR_LIMIT * 100} % of maxmemory`);
  return warnings;
}
