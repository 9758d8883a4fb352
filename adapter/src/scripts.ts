import { createHash } from 'node:crypto';
import { FORMAT } from './keys.js';

/** `KEYS[1]`: what all names begin with. `ARGV[1]`: the node on whose behalf it runs. */
const COMMON = `
local base = KEYS[1]
local me = ARGV[1]
local NODES = base .. 'nodes'
local TRIMMED = base .. 'trimmed'

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function is_known(node)
  return redis.call('ZSCORE', NODES, node) ~= false
end
`;

/** For a node that was cleared away: it must not act under its old name. */
const FENCE = `
if not is_known(me) then return redis.error_reply('FENCED this node was cleared away') end
`;

/**
 * Writes a batch into the mailboxes of the nodes that need it, one entry each. For each message:
 * how, number of keys, keys, blob. How: `e` an event to the nodes in the interest keys; `q` the same,
 * and the nodes that live are told; `n` the keys are nodes.
 * @returns for each `q` the nodes
 */
const PUBLISH = `${COMMON}${FENCE}
-- Arguments that one command takes at once: Lua's stack has an end.
local MOST = 4000
local last = #ARGV

local function nodes_of(first, count)
  if count == 1 then return redis.call('SMEMBERS', base .. ARGV[first]) end
  local found, seen = {}, {}
  for begin = first, first + count - 1, MOST do
    local keys = {}
    for index = begin, math.min(begin + MOST, first + count) - 1 do
      keys[#keys + 1] = base .. ARGV[index]
    end
    for _, node in ipairs(redis.call('SUNION', unpack(keys))) do
      if not seen[node] then
        seen[node] = true
        found[#found + 1] = node
      end
    end
  end
  return found
end

local entries, asked = {}, {}
local index = 2
local now
while index <= last do
  local how, count = ARGV[index], tonumber(ARGV[index + 1])
  local first = index + 2
  index = first + count + 1
  local blob = ARGV[index - 1]
  local nodes
  if how == 'n' then nodes = { unpack(ARGV, first, first + count - 1) } else nodes = nodes_of(first, count) end
  if how == 'q' then
    now = now or now_ms()
    local living = {}
    for _, node in ipairs(nodes) do
      if tonumber(redis.call('ZSCORE', NODES, node) or 0) > now then living[#living + 1] = node end
    end
    asked[#asked + 1] = living
  end
  for _, node in ipairs(nodes) do
    local entry = entries[node]
    if not entry then
      entry = { 'XADD', base .. 'm:' .. node, 'NOMKSTREAM', '*' }
      entries[node] = entry
    end
    entry[#entry + 1] = '${FORMAT}'
    entry[#entry + 1] = blob
  end
end

local gone = {}
for node, entry in pairs(entries) do
  if not redis.call(unpack(entry)) then gone[#gone + 1] = node end
end
-- Named by a key, but cleared away: what the clearing has left is cleared here.
if #gone > 0 then
  index = 2
  while index <= last do
    local count = tonumber(ARGV[index + 1])
    if ARGV[index] ~= 'n' then
      for key = index + 2, index + 1 + count do redis.call('SREM', base .. ARGV[key], unpack(gone)) end
    end
    index = index + count + 3
  end
end
return asked
`;

/**
 * Changes interest and session records of a node. Operations, one after the other:
 * `i key`, `o key`: the node needs, does not need what is addressed to the key;
 * `r name sid data position n rooms`: the session is here;
 * `j name position n rooms`, `l name n rooms`: it joined, left; `w name data`: it has other data;
 * `x name data`: it was lost; `d name`: it ended.
 */
const CHANGE = `${COMMON}${FENCE}
local last = #ARGV
local index = 2
local function record_of(name) return base .. 'p:' .. name end
local function is_mine(record) return redis.call('HGET', record, 'o') == me end
local function enter(record, first, count, since)
  for room = first, first + count - 1 do redis.call('HSETNX', record, ':' .. ARGV[room], since) end
end
local function since(record, position)
  return (redis.call('HGET', record, 'k') or '0') .. ' ' .. position
end

while index <= last do
  local op, name = ARGV[index], ARGV[index + 1]
  local record = record_of(name)
  index = index + 2
  if op == 'i' then
    redis.call('SADD', base .. name, me)
    redis.call('SADD', base .. 'k:' .. me, name)
  elseif op == 'o' then
    redis.call('SREM', base .. name, me)
    redis.call('SREM', base .. 'k:' .. me, name)
  elseif op == 'r' then
    local sid, data, position, count = ARGV[index], ARGV[index + 1], ARGV[index + 2], tonumber(ARGV[index + 3])
    local owner = redis.call('HGET', record, 'o')
    if not owner then
      redis.call('HSET', record, 'o', me, 's', sid, 'd', data, 'k', '0', 'f', position)
      enter(record, index + 4, count, '')
      redis.call('SADD', base .. 's:' .. me, name)
    elseif owner == me then
      redis.call('HSET', record, 's', sid, 'd', data)
      redis.call('HDEL', record, 'x')
      enter(record, index + 4, count, since(record, position))
      redis.call('SADD', base .. 's:' .. me, name)
    end
    index = index + 4 + count
  elseif op == 'j' then
    local position, count = ARGV[index], tonumber(ARGV[index + 1])
    if is_mine(record) then enter(record, index + 2, count, since(record, position)) end
    index = index + 2 + count
  elseif op == 'l' then
    local count = tonumber(ARGV[index])
    if is_mine(record) then
      for room = index + 1, index + count do redis.call('HDEL', record, ':' .. ARGV[room]) end
    end
    index = index + 1 + count
  elseif op == 'w' then
    if is_mine(record) then redis.call('HSET', record, 'd', ARGV[index]) end
    index = index + 1
  elseif op == 'x' then
    if is_mine(record) then redis.call('HSET', record, 'd', ARGV[index], 'x', now_ms()) end
    index = index + 1
  elseif op == 'd' then
    if is_mine(record) then redis.call('DEL', record) end
    redis.call('SREM', base .. 's:' .. me, name)
  else
    return redis.error_reply('ERR unknown operation ' .. op)
  end
end
return 1
`;

/**
 * Makes the node known, on a new connection: position (empty at first), what it knew of Redis' process
 * (empty at first), what that is now, lease in ms, a marker. On another process than before all that
 * is older cannot be recovered: what was written last may have been forgotten by it.
 * @returns [whether the node must write anew what it has, entry behind which reading begins at first]
 */
const ENTER = `${COMMON}
local position, ran, runs, lease, marker = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local behind = ARGV[7]
local format = redis.call('GET', base .. 'format')
if format and format ~= '${FORMAT}' then
  return redis.error_reply('FORMAT ' .. format .. ' is in Redis, this node knows ${FORMAT}')
end
redis.call('SET', base .. 'format', '${FORMAT}')
local run = redis.call('GET', base .. 'run')
if run and run ~= runs then
  for _, node in ipairs(redis.call('ZRANGE', NODES, 0, -1)) do
    local newest = redis.call('XREVRANGE', base .. 'm:' .. node, '+', '-', 'COUNT', 1)[1]
    if newest then redis.call('HSET', TRIMMED, node, newest[1]) end
  end
end
redis.call('SET', base .. 'run', runs)
local known = is_known(me)
if not known and ran == runs then return redis.error_reply('FENCED this node was cleared away') end
redis.call('ZADD', NODES, now_ms() + lease, me)
if known and ran == runs then return { 0, position } end
local mailbox = base .. 'm:' .. me
-- Behind all that the node has read, even where Redis has forgotten it or its clock is behind.
local id
if position ~= '' then
  id = redis.pcall('XADD', mailbox, behind, '${FORMAT}', marker)
end
if type(id) ~= 'string' then id = redis.call('XADD', mailbox, '*', '${FORMAT}', marker) end
redis.call('HSET', TRIMMED, me, id)
return { 1, id }
`;

/**
 * Renews the lease and tidies up: lease, window in ms, bytes of a mailbox at most.
 * @returns number of nodes that live
 */
const RENEW = `${COMMON}${FENCE}
local lease, window, most = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()
-- Names cleared away in one call.
local STEP = 500

local function limit(node)
  local mailbox = base .. 'm:' .. node
  local used = redis.call('MEMORY', 'USAGE', mailbox)
  if not used or used <= most then return end
  local length = redis.call('XLEN', mailbox)
  redis.call('XTRIM', mailbox, 'MAXLEN', math.floor(length * most / used * 0.9))
  local oldest = redis.call('XRANGE', mailbox, '-', '+', 'COUNT', 1)[1]
  if oldest then redis.call('HSET', TRIMMED, node, oldest[1]) end
end

local function expire(node)
  local mailbox = base .. 'm:' .. node
  local oldest = string.format('%.0f', now - window)
  local newest = redis.call('XREVRANGE', mailbox, '(' .. oldest, '-', 'COUNT', 1)[1]
  if not newest then return end
  redis.call('XTRIM', mailbox, 'MINID', oldest)
  redis.call('HSET', TRIMMED, node, newest[1])
end

local function clear(node)
  for _, key in ipairs(redis.call('SPOP', base .. 'k:' .. node, STEP)) do
    redis.call('SREM', base .. key, node)
  end
  for _, name in ipairs(redis.call('SPOP', base .. 's:' .. node, STEP)) do
    local record = base .. 'p:' .. name
    if redis.call('HGET', record, 'o') == node then redis.call('DEL', record) end
  end
  if redis.call('EXISTS', base .. 'k:' .. node, base .. 's:' .. node) == 0 then
    redis.call('SREM', base .. 'sweeping', node)
  end
end

redis.call('ZADD', NODES, now + lease, me)
expire(me)
limit(me)
for _, node in ipairs(redis.call('ZRANGEBYSCORE', NODES, '-inf', now)) do
  if tonumber(redis.call('ZSCORE', NODES, node)) + window < now then
    redis.call('ZREM', NODES, node)
    redis.call('UNLINK', base .. 'm:' .. node)
    redis.call('HDEL', TRIMMED, node)
    redis.call('SADD', base .. 'sweeping', node)
  else
    limit(node)
  end
end
for _, node in ipairs(redis.call('SMEMBERS', base .. 'sweeping')) do clear(node) end
return redis.call('ZCOUNT', NODES, now, '+inf')
`;

/** The node ends: its mailbox and sessions are kept for the window. */
const LEAVE = `${COMMON}${FENCE}
redis.call('ZADD', NODES, now_ms(), me)
return 1
`;

const COUNT = `${COMMON}
return redis.call('ZCOUNT', NODES, now_ms(), '+inf')
`;

/**
 * Takes a session that may be continued, once: name, window in ms.
 * @returns its fields, nothing when there is none
 */
const CLAIM = `${COMMON}${FENCE}
local record, window = base .. 'p:' .. ARGV[2], tonumber(ARGV[3])
local owner, absent, claimed = unpack(redis.call('HMGET', record, 'o', 'x', 'y'))
if not owner or claimed then return false end
local now = now_ms()
if absent and tonumber(absent) + window < now then return false end
local ends = redis.call('ZSCORE', NODES, owner)
if not ends or tonumber(ends) + window < now then return false end
redis.call('HSET', record, 'y', me)
return redis.call('HGETALL', record)
`;

/**
 * Moves a claimed session here: name, its own room, message for the node it was on, marker, prefix of
 * its rooms' keys, rooms that it keeps.
 * @returns [owner until now, last entry of its mailbox, marker's entry, earlier stations, number of the
 *   last one, where it began, rooms and since when, nodes and up to where they are trimmed]
 */
const MOVE = `${COMMON}${FENCE}
local name, sid_key, notice, marker, prefix = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local record = base .. 'p:' .. name
local owner, claimed, chain, number, from = unpack(redis.call('HMGET', record, 'o', 'y', 'c', 'k', 'f'))
if claimed ~= me then return false end
local here = redis.call('XADD', base .. 'm:' .. me, '*', '${FORMAT}', marker)
local there = here
if owner ~= me then
  there = redis.call('XADD', base .. 'm:' .. owner, 'NOMKSTREAM', '*', '${FORMAT}', notice)
  if not there then return false end
end
chain = chain or ''
local kept = {}
for index = 7, #ARGV do kept[ARGV[index]] = true end
local rooms = {}
local fields = redis.call('HGETALL', record)
for index = 1, #fields, 2 do
  if string.sub(fields[index], 1, 1) == ':' then
    local room = string.sub(fields[index], 2)
    if kept[room] then
      rooms[#rooms + 1] = room
      rooms[#rooms + 1] = fields[index + 1]
      redis.call('SADD', base .. prefix .. room, me)
      redis.call('SADD', base .. 'k:' .. me, prefix .. room)
    else
      redis.call('HDEL', record, fields[index])
    end
  end
end
redis.call('HDEL', record, 'x', 'y')
if owner ~= me then
  redis.call('SREM', base .. sid_key, owner)
  redis.call('SREM', base .. 'k:' .. owner, sid_key)
  redis.call('SREM', base .. 's:' .. owner, name)
  redis.call('SADD', base .. 's:' .. me, name)
  redis.call('HSET', record, 'o', me, 'k', tonumber(number) + 1, 'f', here,
    'c', chain .. owner .. ' ' .. from .. ' ' .. there .. ' ')
end
return { owner, there, here, chain, number, from, rooms, redis.call('HGETALL', TRIMMED), redis.call('ZRANGE', NODES, 0, -1) }
`;

const SCRIPTS = {
  publish: PUBLISH,
  change: CHANGE,
  enter: ENTER,
  renew: RENEW,
  leave: LEAVE,
  count: COUNT,
  claim: CLAIM,
  move: MOVE,
};

export type ScriptName = keyof typeof SCRIPTS;

/** Each script and the digest that Redis calls it by. */
export const scripts = Object.fromEntries(
  Object.entries(SCRIPTS).map(([name, lua]) => [
    name,
    { lua, sha: createHash('sha1').update(lua).digest('hex') },
  ]),
) as Record<ScriptName, { lua: string; sha: string }>;
