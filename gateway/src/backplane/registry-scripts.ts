import type { Redis } from 'ioredis';
import { REGISTRY_KEYS } from './redis-keys.js';
import { HOLD_ROOM, NOW } from './registry-lua.js';
import { REVOCATION, REVOCATIONS, REVOKE, SESSIONS } from './revocation-scripts.js';

/**
 * What changes the registry, each script one atomic step by Redis' own clock. A user is online while
 * in the `users` zset: with sessions, or for a while after the last was lost.
 */
const COMMON = `${REGISTRY_KEYS}
-- Fields of a user that are no session: =user, =since, =until.
local FIXED = 3
${NOW}
${REVOCATION}
-- A session: connected at, node, user as JSON. What is shown: connected at, session, user.
local function parse(value)
  return string.match(value, '^(%d+) (%S+) (.*)$')
end

local function split(member)
  return string.match(member, '^([^\\n]*)\\n(.*)$')
end

local function sessions_of(key)
  return math.max(0, redis.call('HLEN', key) - FIXED)
end

local function count_roles(ns, user, by)
  local seen = {}
  for _, role in ipairs(cjson.decode(user).roles) do
    if not seen[role] then
      seen[role] = true
      if redis.call('HINCRBY', roles_key(ns), role, by) <= 0 then
        redis.call('HDEL', roles_key(ns), role)
      end
    end
  end
end

local function show(ns, key, at, sid, user)
  local shown = redis.call('HGET', key, '=user')
  local _, _, before = parse(shown or '0 - ')
  redis.call('HSET', key, '=user', at .. ' ' .. sid .. ' ' .. user)
  if before == user then return end
  if shown then count_roles(ns, before, -1) end
  count_roles(ns, user, 1)
end

-- Of several sessions the newest says how the user is called and which roles it has.
local function show_newest(ns, key)
  local at, sid, user
  local fields = redis.call('HGETALL', key)
  for index = 1, #fields, 2 do
    if string.sub(fields[index], 1, 1) ~= '=' then
      local other_at, _, other = parse(fields[index + 1])
      if not at or tonumber(other_at) > tonumber(at) then
        at, sid, user = other_at, fields[index], other
      end
    end
  end
  if at then show(ns, key, at, sid, user) end
end

-- The user is online no more. Returns the user as last shown.
local function depart(ns, id)
  local key = user_key(ns, id)
  local _, _, user = parse(redis.call('HGET', key, '=user'))
  count_roles(ns, user, -1)
  redis.call('DEL', key, held_key(ns, id))
  redis.call('ZREM', users_key(ns), id)
  redis.call('ZREM', DUE, ns .. '\\n' .. id)
  return user
end

-- Takes a session away. Returns until when its user still counts as online, nil when others remain.
local function remove(node, ns, sid, id, grace_until)
  local key = user_key(ns, id)
  local value = redis.call('HGET', key, sid)
  redis.call('HDEL', node_key(node), ns .. '\\n' .. sid)
  if not value then return nil end
  local _, owner = parse(value)
  if owner ~= node then return nil end
  redis.call('HDEL', key, sid)
  local last = math.max(grace_until, tonumber(redis.call('HGET', key, '=until')))
  redis.call('HSET', key, '=until', string.format('%.0f', last))
  if sessions_of(key) == 0 then return last end
  local _, newest = parse(redis.call('HGET', key, '=user'))
  if newest == sid then show_newest(ns, key) end
  return nil
end

local function entry(ns, id)
  local key = user_key(ns, id)
  local fields = redis.call('HMGET', key, '=user', '=since')
  if not fields[1] then return nil end
  local _, _, user = parse(fields[1])
  return { user, fields[2], sessions_of(key) }
end
`;

/** node, namespace, session, user id, connected at, user, most sessions, `1` when it is told again, issued at. */
const CONNECT = `
local node, ns, sid, id, at, user, max, again, issued = unpack(ARGV)
if is_revoked(id, issued) then return { 'revoked' } end
if not redis.call('ZSCORE', NODES, node) then return { 'no lease' } end
local key, member = user_key(ns, id), ns .. '\\n' .. sid
local old = redis.call('HGET', key, sid)
if old then
  local old_at, owner = parse(old)
  if owner ~= node then
    if again == '1' and tonumber(old_at) > tonumber(at) then return { 'elsewhere' } end
    redis.call('HDEL', node_key(owner), member)
  end
elseif again ~= '1' and sessions_of(key) >= tonumber(max) then
  return { 'limit' }
end
local first = redis.call('ZADD', users_key(ns), 0, id)
if first == 1 then redis.call('HSET', key, '=since', at) end
redis.call('HSET', key, sid, at .. ' ' .. node .. ' ' .. user, '=until', '0')
redis.call('HSET', node_key(node), member, id)
redis.call('ZREM', DUE, ns .. '\\n' .. id)
local shown_at = parse(redis.call('HGET', key, '=user') or '0 - ')
if tonumber(at) >= tonumber(shown_at) or sessions_of(key) == 1 then show(ns, key, at, sid, user) end
return { 'ok', first, redis.call('ZCARD', users_key(ns)), redis.call('SMEMBERS', held_key(ns, id)) }
`;

/** node, namespace, session, user id, grace in milliseconds. */
const DISCONNECT = `
local node, ns, sid, id, grace = unpack(ARGV)
local now = now_ms()
local last = remove(node, ns, sid, id, tonumber(grace) > 0 and now + grace or 0)
local user
if last and last > now then
  redis.call('ZADD', DUE, last, ns .. '\\n' .. id)
elseif last then
  user = depart(ns, id)
end
return { user and 1 or 0, redis.call('ZCARD', users_key(ns)), user or '' }
`;

/** node, namespace, session, user id, connected at, user. Returns 0 when it is not registered. */
const UPDATE = `
local node, ns, sid, id, at, user = unpack(ARGV)
local key = user_key(ns, id)
local _, owner = parse(redis.call('HGET', key, sid) or '0 - ')
if owner ~= node then return 0 end
redis.call('HSET', key, sid, at .. ' ' .. node .. ' ' .. user)
show_newest(ns, key)
return 1
`;

/**
 * Renews the node's lease; then, if that went on without interruption, takes a dead node's sessions
 * away and claims departures that came due. Grace of a dead node's users began at its last renewal.
 *
 * node, lease in milliseconds, offline in milliseconds, most of each at once, `1` for a node's first.
 * Returns: lease lost, swept by another, sessions taken away, then namespace, user, users online of
 * each departure.
 */
const TEND = `
local node, lease, offline, batch, fresh = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local now = now_ms()
local swept = redis.call('EXISTS', swept_key(node))
local ends = tonumber(redis.call('ZSCORE', NODES, node) or 0)
redis.call('ZADD', NODES, now + lease, node)
local since, interrupted = string.match(redis.call('HGET', STEADY, node) or '', '^(%d+) (%d)$')
if ends <= now or not since or now - (ends - lease) > lease / 2 then
  since, interrupted = now, fresh == '1' and '0' or '1'
  redis.call('HSET', STEADY, node, string.format('%.0f', now) .. ' ' .. interrupted)
  if ends <= now then return { 1, swept, 0 } end
end
local steady = now - tonumber(since) >= lease
local answer = { 0, swept, 0 }
if steady then
  local dead = redis.call('ZRANGEBYSCORE', NODES, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1)
  if dead[1] then
    local left = redis.call('HSCAN', node_key(dead[1]), 0, 'COUNT', batch)[2]
    redis.call('SET', swept_key(dead[1]), 1, 'EX', 86400)
    for index = 1, #left, 2 do
      local ns, sid = split(left[index])
      local last = remove(dead[1], ns, sid, left[index + 1], tonumber(dead[2]) - lease + offline)
      if last then redis.call('ZADD', DUE, last, ns .. '\\n' .. left[index + 1]) end
    end
    answer[3] = #left / 2
    if redis.call('EXISTS', node_key(dead[1])) == 0 then
      redis.call('ZREM', NODES, dead[1])
      redis.call('HDEL', STEADY, dead[1])
    end
  end
end
if steady or interrupted == '0' then
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', DUE, '-inf', now, 'LIMIT', 0, batch)) do
    local ns, id = split(member)
    redis.call('ZREM', DUE, member)
    if redis.call('ZSCORE', users_key(ns), id) and sessions_of(user_key(ns, id)) == 0 then
      local user = depart(ns, id)
      table.insert(answer, ns)
      table.insert(answer, user)
      table.insert(answer, redis.call('ZCARD', users_key(ns)))
    end
  end
end
return answer
`;

/** node. What another had taken away is registered again. */
const HEALED = `return redis.call('DEL', swept_key(ARGV[1]))`;

/** node. Gives the lease up; what sessions are left are for others to sweep. */
const LEAVE = `
local node = ARGV[1]
if redis.call('EXISTS', node_key(node)) == 1 then return 0 end
redis.call('ZREM', NODES, node)
redis.call('HDEL', STEADY, node)
return 1
`;

/** node, cursor. Sessions that are registered for the node, a page. */
const OWN = `return redis.call('HSCAN', node_key(ARGV[1]), ARGV[2], 'COUNT', 500)`;

/** namespace, user id. */
const FIND = `return entry(ARGV[1], ARGV[2]) or false`;

/** namespace, user ids. */
const ONLINE = `
local answer = {}
for index = 2, #ARGV do
  answer[index - 1] = redis.call('ZSCORE', users_key(ARGV[1]), ARGV[index]) and 1 or 0
end
return answer
`;

/** namespace, most users, id behind which to begin (absent: at the beginning). */
const LIST = `
local ns, limit, after = ARGV[1], ARGV[2], ARGV[3]
local page = {}
for _, id in ipairs(redis.call('ZRANGEBYLEX', users_key(ns), after and '(' .. after or '-', '+', 'LIMIT', 0, limit)) do
  table.insert(page, entry(ns, id))
end
return { redis.call('ZCARD', users_key(ns)), page }
`;

/** namespace. */
const COUNT = `return redis.call('ZCARD', users_key(ARGV[1]))`;

/** namespace. Flat pairs of role and users. */
const ROLES = `return redis.call('HGETALL', roles_key(ARGV[1]))`;

/** namespace, room, `1` to hold or `0` to release, user ids. */
const HOLD = `${HOLD_ROOM}
for index = 4, #ARGV do hold_room(ARGV[1], ARGV[2], ARGV[3], ARGV[index]) end
return 1
`;

const BODIES = {
  connect: CONNECT,
  disconnect: DISCONNECT,
  update: UPDATE,
  tend: TEND,
  healed: HEALED,
  leave: LEAVE,
  own: OWN,
  find: FIND,
  online: ONLINE,
  list: LIST,
  count: COUNT,
  roles: ROLES,
  hold: HOLD,
  sessions: SESSIONS,
  revoke: REVOKE,
  revocations: REVOCATIONS,
} as const;

export type RegistryScript = keyof typeof BODIES;

/** Runs a script on a connection: `(redis, name, arguments) -> its reply`. */
export type RunScript = (
  redis: Redis,
  name: RegistryScript,
  args: readonly (string | number)[],
) => Promise<unknown>;

/**
 * Makes the scripts known to a connection (by their hash, sent in full when Redis lacks them).
 * @param base where the registry's names begin
 */
export function defineScripts(redis: Redis, base: string): RunScript {
  for (const [name, body] of Object.entries(BODIES))
    redis.defineCommand(`registry:${name}`, { numberOfKeys: 1, lua: COMMON + body });
  return (client, name, args) => {
    const commands = client as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    return commands[`registry:${name}`]!(base, ...args);
  };
}
