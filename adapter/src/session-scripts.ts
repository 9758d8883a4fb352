import { FORMAT } from './keys.js';
import { COMMON, FENCE } from './script-head.js';

/**
 * Changes interest and session records of a node. Operations, one after the other:
 * `i key`, `o key`: the node needs, does not need what is addressed to the key; `u key`: a message that
 * made it needed was read;
 * `r name sid data position n rooms`: the session is here;
 * `j name position n rooms`, `l name position n rooms`: it joined, left; `w name data`: it has other data;
 * `x name data ago`: it was lost, so many ms ago; `d name`: it ended.
 */
export const CHANGE = `${COMMON}${FENCE}
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
    -- What will make it needed again may be in the mailbox already.
    if redis.call('HEXISTS', base .. 'j:' .. me, name) == 0 then
      redis.call('SREM', base .. name, me)
      redis.call('SREM', base .. 'k:' .. me, name)
    end
  elseif op == 'u' then
    if redis.call('HINCRBY', base .. 'j:' .. me, name, -1) <= 0 then
      redis.call('HDEL', base .. 'j:' .. me, name)
    end
  elseif op == 'r' then
    local sid, data, position, count = ARGV[index], ARGV[index + 1], ARGV[index + 2], tonumber(ARGV[index + 3])
    local owner = redis.call('HGET', record, 'o')
    if not owner then
      redis.call('HSET', record, 'o', me, 's', sid, 'd', data, 'k', '0', 'f', position, 'q', position)
      enter(record, index + 4, count, '')
      redis.call('SADD', base .. 's:' .. me, name)
    elseif owner == me then
      local left = {}
      for _, field in ipairs(redis.call('HKEYS', record)) do
        if string.sub(field, 1, 1) == ':' then left[field] = true end
      end
      for room = index + 4, index + 3 + count do left[':' .. ARGV[room]] = nil end
      for field in pairs(left) do redis.call('HDEL', record, field) end
      redis.call('HSET', record, 's', sid, 'd', data, 'q', position)
      redis.call('HDEL', record, 'x')
      if redis.call('HEXISTS', record, 'w') == 1 then
        redis.call('HSETNX', record, 'b', string.format('%.0f', now_ms()))
      end
      enter(record, index + 4, count, since(record, position))
      redis.call('SADD', base .. 's:' .. me, name)
    end
    index = index + 4 + count
  elseif op == 'j' then
    local position, count = ARGV[index], tonumber(ARGV[index + 1])
    if is_mine(record) then
      enter(record, index + 2, count, since(record, position))
      redis.call('HSET', record, 'q', position)
    end
    index = index + 2 + count
  elseif op == 'l' then
    local position, count = ARGV[index], tonumber(ARGV[index + 1])
    if is_mine(record) then
      for room = index + 2, index + 1 + count do redis.call('HDEL', record, ':' .. ARGV[room]) end
      redis.call('HSET', record, 'q', position)
    end
    index = index + 2 + count
  elseif op == 'w' then
    if is_mine(record) then redis.call('HSET', record, 'd', ARGV[index]) end
    index = index + 1
  elseif op == 'x' then
    if is_mine(record) then
      local since = string.format('%.0f', now_ms() - tonumber(ARGV[index + 1]))
      redis.call('HSET', record, 'd', ARGV[index], 'x', since)
    end
    index = index + 2
  elseif op == 'd' then
    local owner, claimed = unpack(redis.call('HMGET', record, 'o', 'y'))
    if owner == me or claimed == me then redis.call('DEL', record) end
    redis.call('SREM', base .. 's:' .. me, name)
    if claimed == me then redis.call('SREM', base .. 's:' .. owner, name) end
  else
    return redis.error_reply('ERR unknown operation ' .. op)
  end
end
return 1
`;

/**
 * Takes a session that may be continued, once: name, window in ms.
 * @returns [its fields, `relocated` and `read` of the node it was on here], nothing when there is none,
 *   `BUSY` while a node that lives has taken it
 */
export const CLAIM = `${COMMON}${FENCE}
local record, window = base .. 'p:' .. ARGV[2], tonumber(ARGV[3])
local owner, absent, claimed = unpack(redis.call('HMGET', record, 'o', 'x', 'y'))
if not owner then return false end
local now = now_ms()
-- Who asks lives, even where its lease has run out.
if claimed and (claimed == me or tonumber(redis.call('ZSCORE', NODES, claimed) or 0) > now) then
  return 'BUSY'
end
if absent and tonumber(absent) + window < now then return false end
local ends = redis.call('ZSCORE', NODES, owner)
if not ends or tonumber(ends) + window < now then return false end
redis.call('HSET', record, 'y', me)
return { redis.call('HGETALL', record),
  redis.call('HGET', base .. 'relocated', owner), redis.call('HGET', base .. 'read', owner) }
`;

/** Takes the places between which a session's events are its own, in the mailboxes of both nodes. */
const ARRIVING = `
local function arrive(owner, sid_key, notice, marker)
  local here = redis.call('XADD', base .. 'm:' .. me, '*', '${FORMAT}', marker)
  if owner == me then return here, here end
  local there = redis.call('XADD', base .. 'm:' .. owner, 'NOMKSTREAM', '*', '${FORMAT}', notice)
  if there and sid_key ~= '' then
    redis.call('SREM', base .. sid_key, owner)
    redis.call('SREM', base .. 'k:' .. owner, sid_key)
  end
  return there, here
end

local function arrived(owner, there, here, now)
  return { there, here, redis.call('HGETALL', TRIMMED),
    redis.call('ZRANGE', NODES, 0, -1, 'WITHSCORES'), string.format('%.0f', now),
    redis.call('HGET', base .. 'relocated', owner), redis.call('HGET', base .. 'read', owner) }
end
`;

/**
 * Makes the record say that the session is here; rooms that are not kept leave it. When it was made to leave
 * some on the way, who comes back from before that is not known any more.
 */
const SETTLING = `
local function settle(name, there, here, proof, lease, left, first, prefix)
  local record = base .. 'p:' .. name
  local owner, chain, number, from, absent, done, before, began =
    unpack(redis.call('HMGET', record, 'o', 'c', 'k', 'f', 'x', 'q', 'w', 'b'))
  chain = chain or ''
  local now = now_ms()
  local ends = tonumber(redis.call('ZSCORE', NODES, owner) or 0)
  -- Lost when it was said to be; or not noticed yet, or with its node: that lived when it renewed.
  local seen = tonumber(absent) or ends - lease
  -- A stay that was shorter than it takes to prove anything proves nothing of what came before it.
  local proven = seen
  if before and not (began and seen - lease - proof >= tonumber(began)) then
    proven = math.min(seen, tonumber(before))
  end
  local kept = {}
  for index = first, #ARGV do kept[ARGV[index]] = true end
  local rooms = {}
  local fields = redis.call('HGETALL', record)
  for index = 1, #fields, 2 do
    if string.sub(fields[index], 1, 1) == ':' then
      local room = string.sub(fields[index], 2)
      rooms[#rooms + 1] = room
      rooms[#rooms + 1] = fields[index + 1]
      if kept[room] then
        if prefix then
          redis.call('SADD', base .. prefix .. room, me)
          redis.call('SADD', base .. 'k:' .. me, prefix .. room)
        end
      else
        redis.call('HDEL', record, fields[index])
      end
    end
  end
  redis.call('HDEL', record, 'y')
  -- It is absent until it has arrived.
  redis.call('HSET', record, 'x', string.format('%.0f', seen), 'w', string.format('%.0f', proven), 'q', here)
  redis.call('HDEL', record, 'b')
  if owner ~= me then
    redis.call('SREM', base .. 's:' .. owner, name)
    redis.call('SADD', base .. 's:' .. me, name)
    redis.call('HSET', record, 'o', me, 'k', tonumber(number) + 1, 'f', here,
      'c', chain .. owner .. ' ' .. from .. ' ' .. there .. ' ')
  end
  if left == '1' then redis.call('HSET', record, 'c', '', 'f', here) end
  return { owner, chain, number, from, done or from, rooms, string.format('%.0f', proven - lease - proof), string.format('%.0f', now) }
end
`;

/**
 * Moves a claimed session here, where there is one shard: name, its own room, message for the node it
 * was on, marker, prefix of its rooms' keys, ms in which a session proves that it receives, length of a
 * lease, 1 if it was made to leave rooms on the way, number of rooms that it was made to join, each with since
 * when, rooms that it keeps.
 * @returns what `SETTLE` and `ARRIVE` do
 */
export const MOVE = `${COMMON}${FENCE}${ARRIVING}${SETTLING}
local name = ARGV[2]
local owner, claimed = unpack(redis.call('HMGET', base .. 'p:' .. name, 'o', 'y'))
if claimed ~= me then return false end
local there, here = arrive(owner, ARGV[3], ARGV[4], ARGV[5])
if not there then return false end
local first = 11 + 2 * tonumber(ARGV[10])
for index = 11, first - 1, 2 do
  redis.call('HSETNX', base .. 'p:' .. name, ':' .. ARGV[index], ARGV[index + 1])
end
local settled = settle(name, there, here, tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9], first, ARGV[6])
return { settled, arrived(owner, there, here, now_ms()) }
`;

/**
 * A session arrives here, in one shard of several: the node it was on, its own room's key if that lies
 * here (else empty), message for that node, marker. Who looks up nodes for messages to several shards is
 * to know of it: `moves` counts arrivals, `arrivals` names for each node its last.
 * @returns nothing when the mailbox it had is gone; [last entry of its mailbox, marker's entry, nodes and
 *   up to where they are trimmed, nodes and ends of their leases, now, `relocated` and `read` of the node it
 *   was on]
 */
export const ARRIVE = `${COMMON}${FENCE}${ARRIVING}
redis.call('ZADD', base .. 'arrivals', redis.call('INCR', base .. 'moves'), me)
local there, here = arrive(ARGV[2], ARGV[3], ARGV[4], ARGV[5])
return there and arrived(ARGV[2], there, here, now_ms())
`;

/**
 * Moves the record of a claimed session here, when it has arrived in all shards: name, ms in which a
 * session proves that it receives, length of a lease, last entries there, markers' entries here, rooms that it
 * keeps.
 * @returns [owner until now, earlier stations, number of the last one, where it began, up to where its node's
 *   mailbox was carried out, rooms, kept or not, and since
 *   when, since when what was sent to it may not have arrived (ms), now]
 */
export const SETTLE = `${COMMON}${FENCE}${SETTLING}
local name = ARGV[2]
if redis.call('HGET', base .. 'p:' .. name, 'y') ~= me then return false end
return settle(name, ARGV[5], ARGV[6], tonumber(ARGV[3]), tonumber(ARGV[4]), '0', 7)
`;
