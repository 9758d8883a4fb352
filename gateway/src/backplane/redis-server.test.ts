import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { inspect } from './redis-server.js';

/** What a server says of itself; real ones of these versions are not at hand in tests. */
function server(lines: string[]): Redis {
  const good = ['maxmemory_policy:noeviction', 'aof_enabled:1', 'cluster_enabled:0'];
  return { info: async () => [...good, ...lines].join('\r\n') } as unknown as Redis;
}

test.each(['6.2.14', '5.0.0'])('Redis %s is too old', async (version) => {
  await expect(inspect(server([`redis_version:${version}`]))).rejects.toThrow(
    `Redis ${version} is too old`,
  );
});

test.each(['7.0.0', '7.2.4', '8.2.1', '10.0.0'])('Redis %s will do', async (version) => {
  expect(await inspect(server([`redis_version:${version}`]))).toEqual([]);
});

test.each([
  ['used_memory:90', 'maxmemory:100', 1],
  ['used_memory:70', 'maxmemory:100', 0],
  ['used_memory:90', 'maxmemory:0', 0],
])('memory: %s of %s gives %i warnings', async (used, limit, warnings) => {
  expect(await inspect(server(['redis_version:7.2.0', used, limit]))).toHaveLength(warnings);
});
