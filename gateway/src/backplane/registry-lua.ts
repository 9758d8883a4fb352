import { REGISTRY_KEYS, redisKeys } from './redis-keys.js';

/** `now_ms()`: Redis' own clock, in milliseconds since the epoch. */
export const NOW = `
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
`;

/** `hold_room(namespace, room, hold, user)`: `1` holds the room for a user who is online, `0` releases it. */
export const HOLD_ROOM = `
local function hold_room(ns, room, hold, id)
  if hold == '0' then
    redis.call('SREM', held_key(ns, id), room)
  elseif redis.call('ZSCORE', users_key(ns), id) then
    redis.call('SADD', held_key(ns, id), room)
  end
end
`;

/**
 * `revoke_tokens(issued, seconds, users)`: refuses tokens that were issued up to then, for so long.
 * What is over is removed, some of it each time.
 */
export const REVOKE_TOKENS = `
local function revoke_tokens(issued, seconds, users)
  local now = now_ms()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', REVOKED, '-inf', now, 'LIMIT', 0, 1000)) do
    redis.call('ZREM', REVOKED, id)
    redis.call('HDEL', REVOKED_ISSUED, id)
  end
  for _, id in ipairs(users) do
    local before = tonumber(redis.call('HGET', REVOKED_ISSUED, id) or 0)
    local upto = math.max(tonumber(issued), before)
    redis.call('HSET', REVOKED_ISSUED, id, string.format('%.0f', upto))
    redis.call('ZADD', REVOKED, 'GT', now + seconds * 1000, id)
  end
end
`;

/**
 * Lua that defines `hold_room` and `revoke_tokens`, for scripts that change the registry in the step
 * that tells the nodes.
 */
export function registryLua(redisPrefix: string): string {
  const base = `'${redisKeys(redisPrefix).registry}'`;
  return `
local hold_room, revoke_tokens
do
${REGISTRY_KEYS.replace('KEYS[1]', base)}
${NOW}
${HOLD_ROOM.replace('local function', 'function')}
${REVOKE_TOKENS.replace('local function', 'function')}
end
`;
}
