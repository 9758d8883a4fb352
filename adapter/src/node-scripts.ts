import { FORMAT } from './keys.js';
import { COMMON, FENCE } from './script-head.js';

/**
 * Makes the node known, on a new connection: position (empty at first), what it knew of Redis' process
 * (empty at first), what that is now, lease in ms, a marker, the entry it is to follow, the formats. On another process than before all that
 * is older cannot be recovered: what was written last may have been forgotten by it.
 * @returns [whether the node must write anew what it has, entry behind which reading begins at first, now]
 */
export const ENTER = `${COMMON}
local position, ran, runs, lease, marker = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local behind, formats = ARGV[7], ARGV[8]
local format = redis.call('GET', base .. 'format')
if format and format ~= formats then
  return redis.error_reply('FORMAT ' .. format .. ' is in Redis, this node knows ' .. formats)
end
redis.call('SET', base .. 'format', formats)
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
local now = now_ms()
redis.call('ZADD', NODES, now + lease, me)
local mailbox = base .. 'm:' .. me
if known and ran == runs then
  redis.call('XADD', mailbox, '*', '${FORMAT}', marker)
  return { 0, position, string.format('%.0f', now) }
end
-- Behind all that the node has read, even where Redis has forgotten it or its clock is behind.
local id
if position ~= '' then
  id = redis.pcall('XADD', mailbox, behind, '${FORMAT}', marker)
end
if type(id) ~= 'string' then id = redis.call('XADD', mailbox, '*', '${FORMAT}', marker) end
redis.call('HSET', TRIMMED, me, id)
return { 1, id, string.format('%.0f', now) }
`;

/**
 * Renews the lease and tidies up: lease, ms for which a dead node is kept, ms for which entries are,
 * bytes of a mailbox at most, entry up to which the node has read (empty: it has not begun), process of
 * Redis that it knows, entry up to which records say what it has made of its sessions (empty: not known). A node that has not read all that was trimmed is cleared away like one that was
 * dead: what its sessions were sent is lost.
 * @returns [the time, number of the last arrival]
 */
export const RENEW = `${COMMON}${FENCE}
local lease, window, keep, most = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local behind, run, done = ARGV[6], ARGV[7], ARGV[8]
local now = now_ms()
-- Names cleared away in one call.
local STEP = 500

local function is_before(a, b)
  local ms, number = string.match(a, '^(%d+)-(%d+)$')
  local other_ms, other = string.match(b, '^(%d+)-(%d+)$')
  if ms ~= other_ms then return tonumber(ms) < tonumber(other_ms) end
  return tonumber(number) < tonumber(other)
end

local function limit(node)
  local mailbox = base .. 'm:' .. node
  local used = redis.call('MEMORY', 'USAGE', mailbox)
  if not used or used <= most then return end
  local length = redis.call('XLEN', mailbox)
  redis.call('XTRIM', mailbox, 'MAXLEN', math.max(1, math.floor(length * most / used * 0.9)))
  local oldest = redis.call('XRANGE', mailbox, '-', '+', 'COUNT', 1)[1]
  if oldest then redis.call('HSET', TRIMMED, node, oldest[1]) end
end

local function expire(node)
  local mailbox = base .. 'm:' .. node
  local oldest = string.format('%.0f', now - keep)
  local first = redis.call('XRANGE', mailbox, '-', '+', 'COUNT', 1)[1]
  -- Asked backwards for what is before the first entry, Redis would go through all that there are.
  if not first or not is_before(first[1], oldest .. '-0') then return end
  local newest = redis.call('XREVRANGE', mailbox, '(' .. oldest, '-', 'COUNT', 1)[1]
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

local function drop(node)
  redis.call('ZREM', NODES, node)
  redis.call('UNLINK', base .. 'm:' .. node, base .. 'j:' .. node)
  for _, of in ipairs({ 'trimmed', 'read', 'relocated' }) do redis.call('HDEL', base .. of, node) end
  redis.call('ZREM', base .. 'arrivals', node)
  redis.call('SADD', base .. 'sweeping', node)
end

redis.call('ZADD', NODES, now + lease, me)
if done ~= '' then redis.call('HSET', base .. 'read', me, done) end
expire(me)
limit(me)
local trimmed = behind ~= '' and redis.call('HGET', TRIMMED, me)
-- On another process than it knows it is still to enter, and learns there where to read on.
if trimmed and redis.call('GET', base .. 'run') == run and is_before(behind, trimmed) then
  drop(me)
  return redis.error_reply('FENCED this node has not read what was trimmed')
end
for _, node in ipairs(redis.call('ZRANGEBYSCORE', NODES, '-inf', now)) do
  if tonumber(redis.call('ZSCORE', NODES, node)) + window < now then
    drop(node)
  else
    limit(node)
  end
end
for _, node in ipairs(redis.call('SMEMBERS', base .. 'sweeping')) do clear(node) end
return { now, tonumber(redis.call('GET', base .. 'moves') or 0) }
`;

/** The node ends: its mailbox and sessions are kept for the window. */
export const LEAVE = `${COMMON}${FENCE}
redis.call('ZADD', NODES, now_ms(), me)
return 1
`;

export const COUNT = `${COMMON}
return redis.call('ZCOUNT', NODES, now_ms(), '+inf')
`;
