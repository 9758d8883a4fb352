import { REGISTRY_KEYS, redisKeys } from './redis-keys.js';

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

/** Lua that defines `hold_room`, for scripts that hold a room in the step that tells the nodes. */
export function holdLua(redisPrefix: string): string {
  const base = `'${redisKeys(redisPrefix).registry}'`;
  return `
local hold_room
do
${REGISTRY_KEYS.replace('KEYS[1]', base)}
${HOLD_ROOM.replace('local function', 'function')}
end
`;
}
