import type { Cluster, Redis } from 'ioredis';
import { baseOf } from './keys.js';
import { type RedisConnect, backoff } from './link.js';
import { clusterServers } from './redis-cluster.js';

/** Where the shards lie: one Redis, several, or a Redis Cluster. */
export type RedisSource = Redis | Cluster | RedisConnect | readonly (Redis | RedisConnect)[];

/** The Redis that a shard lies on. */
export interface Server {
  readonly connect: RedisConnect;
  /** Keys that are there only when nodes do not agree on what lies where. */
  readonly strange: readonly string[];
}

export interface Servers {
  /** By shard. */
  readonly all: readonly Server[];
  /** Ends what was opened to find them. */
  close(): void;
}

/** So that positions, which name a place in each shard, stay short. */
const MOST_SHARDS = 16;

/**
 * @param shards default: one on each Redis
 * @throws RangeError for a number of shards that cannot be
 */
export function serversOf(redis: RedisSource, prefix: string, shards?: number): Servers {
  const each = isSeveral(redis) ? redis : [redis];
  const count = shards ?? each.length;
  if (!Number.isInteger(count) || count < each.length || count > MOST_SHARDS || each.length === 0)
    throw new RangeError(`shards: ${count} of ${each.length} Redis, ${MOST_SHARDS} at most`);
  const bases = Array.from({ length: count }, (_, shard) => baseOf(prefix, shard));
  const [first] = each;
  if (isCluster(first!)) return clusterServers(first, bases);
  const connects = (each as readonly (Redis | RedisConnect)[]).map((one) =>
    typeof one === 'function' ? one : duplicating(one),
  );
  const all = bases.map((_, shard) => ({
    connect: connects[shard % connects.length]!,
    strange: bases
      .filter((__, other) => (other - shard) % connects.length !== 0)
      .map((base) => `${base}format`),
  }));
  return { all, close: () => undefined };
}

function duplicating(redis: Redis): RedisConnect {
  return (purpose) =>
    redis.duplicate({
      connectionName: `socket.io-${purpose}`,
      lazyConnect: false,
      retryStrategy: backoff,
    });
}

function isSeveral(redis: RedisSource): redis is readonly (Redis | RedisConnect)[] {
  return Array.isArray(redis);
}

function isCluster(redis: RedisSource): redis is Cluster {
  return (redis as Partial<Cluster>).isCluster === true;
}
