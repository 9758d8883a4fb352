import type { Redis } from 'ioredis';
import { PARTITION_SCRIPTS, type PartitionScript } from './partition-scripts.js';

type Scripts = Record<string, (...args: unknown[]) => Promise<unknown>>;

/** Makes the scripts known to a connection: they are called by their digest, and sent when Redis lacks them. */
export function defineScripts(redis: Redis): void {
  for (const [name, lua] of Object.entries(PARTITION_SCRIPTS))
    redis.defineCommand(`partition:${name}`, { lua });
}

export function runScript(
  redis: Redis,
  name: PartitionScript,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  return (redis as unknown as Scripts)[`partition:${name}`]!(keys.length, ...keys, ...args);
}
