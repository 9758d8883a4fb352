import type { Config } from '../config.js';
import { inboxBase } from './inbox-keys.js';

/** Of the configuration, what bounds an inbox. */
export type InboxLimits = Pick<Config, 'inboxMaxEvents' | 'inboxMaxBytes' | 'inboxSeconds'>;

/**
 * Lua that defines `inbox_append(namespace, user, tag, payload, ttl)`, for scripts that keep an event in
 * the step that sends it. `ttl`: the ms for which it is worth delivering, 0: no end. By Redis' clock: who
 * looks asks the same. It returns 1, or 0 when an event of this tag lies there already, and how many older
 * ones went out for it.
 */
export function inboxLua(config: InboxLimits & Pick<Config, 'redisPrefix'>): string {
  return `
local INBOX = '${inboxBase(config.redisPrefix)}'
local INBOX_SIZE = INBOX .. ':size'
local INBOX_EVENTS, INBOX_BYTES = ${config.inboxMaxEvents}, ${config.inboxMaxBytes}
local INBOX_SECONDS = ${config.inboxSeconds}

local function inbox_names(namespace, user)
  local name = namespace .. ':' .. user
  return INBOX .. ':order:' .. name, INBOX .. ':items:' .. name
end

-- Redis' clock in microseconds, asked once for a script.
local inbox_time
local function inbox_now()
  if not inbox_time then
    local time = redis.call('TIME')
    inbox_time = time[1] * 1000000 + time[2]
  end
  return inbox_time
end

-- How many lie in all inboxes, by the hour of their places: an hour is forgotten when all of it has expired, and
-- what went with an inbox that nobody visited, or that Redis has lost, with it.
local function inbox_count(place, change)
  local hour = string.format('%.0f', math.floor(place / 3600000000))
  if redis.call('HINCRBY', INBOX_SIZE, hour, change) <= 0 then redis.call('HDEL', INBOX_SIZE, hour) end
end

-- Lets go of one event; returns the bytes that are left. Redis may have lost the item of a tag.
local function inbox_drop(order, items, tag, place)
  redis.call('ZREM', order, tag)
  inbox_count(place, -1)
  local size = redis.call('HSTRLEN', items, tag)
  if size == 0 then return tonumber(redis.call('HGET', items, '') or 0) end
  redis.call('HDEL', items, tag)
  return redis.call('HINCRBY', items, '', -size)
end

-- Lets go of the oldest until all limits are kept; the newest stays. Returns how many went out.
local function inbox_limit(order, items, count, bytes)
  local since = inbox_now() - INBOX_SECONDS * 1000000
  local dropped = 0
  while count > 1 do
    local oldest = redis.call('ZRANGE', order, 0, 0, 'WITHSCORES')
    local old = tonumber(oldest[2]) < since
    if not old and count <= INBOX_EVENTS and bytes <= INBOX_BYTES then break end
    bytes = inbox_drop(order, items, oldest[1], oldest[2])
    count = count - 1
    dropped = dropped + 1
  end
  return dropped
end

local function inbox_append(namespace, user, tag, payload, ttl)
  local order, items = inbox_names(namespace, user)
  local now = inbox_now()
  local newest = tonumber(redis.call('ZRANGE', order, -1, -1, 'WITHSCORES')[2])
  local place = math.max(now, (newest or 0) + 1)
  if redis.call('ZADD', order, 'NX', string.format('%.0f', place), tag) == 0 then return 0, 0 end
  inbox_count(place, 1)
  local expires = ttl > 0 and math.floor(now / 1000) + ttl or 0
  local item = string.format('%.0f %s', expires, payload)
  if not newest then redis.call('DEL', items) end
  redis.call('HSET', items, tag, item)
  local bytes = redis.call('HINCRBY', items, '', #item)
  -- Once in a second; and where Redis has lost the items.
  local aged = not newest or bytes == #item or math.floor(newest / 1000000) ~= math.floor(now / 1000000)
  if aged then
    redis.call('EXPIRE', order, INBOX_SECONDS + 1)
    redis.call('EXPIRE', items, INBOX_SECONDS + 1)
  end
  if not newest then return 1, 0 end
  local count = redis.call('ZCARD', order)
  if not aged and count <= INBOX_EVENTS and bytes <= INBOX_BYTES then return 1, 0 end
  return 1, inbox_limit(order, items, count, bytes)
end
`;
}

/** In place of an inbox that could not be looked into. */
export const BROKEN = -1;

/**
 * Looks into inboxes. Most events of one, most bytes of one, most bytes of all; then namespace, user and the
 * place behind which to look (`-`: only where the newest stands), again and again. Answers for each
 * nothing when the inbox is empty, `BROKEN` and why when Redis could not, else whether more lies there, up to
 * where it was looked, how many were let go of because they had expired, how many because of the limits or
 * because Redis had lost them, and tag and event again and again.
 */
export const LOOK = `
local most_events, most_bytes, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = inbox_now()

local function read(order, items, after)
  local bytes = tonumber(redis.call('HGET', items, '') or 0)
  local dropped = inbox_limit(order, items, redis.call('ZCARD', order), bytes)
  local answer = { 0, after, 0, dropped }
  local found = redis.call('ZRANGE', order, '(' .. after, '+inf', 'BYSCORE',
    'LIMIT', 0, most_events + 1, 'WITHSCORES')
  bytes = 0
  for index = 1, #found, 2 do
    local tag = found[index]
    local item = redis.call('HGET', items, tag)
    local begin = item and string.find(item, ' ', 1, true)
    local expires = item and tonumber(string.sub(item, 1, begin - 1))
    if not item then
      inbox_drop(order, items, tag, found[index + 1])
      answer[4] = answer[4] + 1
    elseif expires > 0 and expires * 1000 <= now then
      inbox_drop(order, items, tag, found[index + 1])
      answer[3] = answer[3] + 1
    elseif index > 2 * most_events or most <= 0 or (bytes > 0 and bytes + #item > most_bytes) then
      answer[1] = 1
      break
    else
      answer[#answer + 1] = tag
      answer[#answer + 1] = string.sub(item, begin + 1)
      bytes = bytes + #item
      most = most - #item
    end
    answer[2] = found[index + 1]
  end
  return answer
end

local function look(namespace, user, after)
  local order, items = inbox_names(namespace, user)
  local newest = redis.call('ZRANGE', order, -1, -1, 'WITHSCORES')[2]
  if not newest then return false end
  if after == '-' then return { 0, newest, 0, 0 } end
  return read(order, items, after)
end

local answers = {}
for index = 4, #ARGV, 3 do
  -- One that is broken must not keep the others from theirs.
  local whole, answer = pcall(look, ARGV[index], ARGV[index + 1], ARGV[index + 2])
  if not whole then answer = { ${BROKEN}, type(answer) == 'table' and answer.err or tostring(answer) } end
  answers[#answers + 1] = answer
end
return answers
`;

/**
 * Takes events out: namespace, user, number of tags and the tags; or -1 and the place up to which all
 * is taken; again and again. Answers how many there were, and from how many inboxes Redis could not take.
 */
export const TAKE = `
local taken, broken = 0, 0

local function take(order, items, tags)
  for _, tag in ipairs(tags) do
    local place = redis.call('ZSCORE', order, tag)
    if place then
      inbox_drop(order, items, tag, place)
      taken = taken + 1
    end
  end
  if redis.call('EXISTS', order) == 0 then redis.call('DEL', items) end
end

local index = 1
while index <= #ARGV do
  local order, items = inbox_names(ARGV[index], ARGV[index + 1])
  local count = tonumber(ARGV[index + 2])
  local first = index + 3
  local function these()
    if count < 0 then return redis.call('ZRANGE', order, '-inf', ARGV[first], 'BYSCORE') end
    return { unpack(ARGV, first, first + count - 1) }
  end
  if not pcall(function() take(order, items, these()) end) then broken = broken + 1 end
  index = first + math.abs(count)
end
return { taken, broken }
`;

/** Answers how many events lie in all inboxes, and forgets the hours in which nothing can lie any more. */
export const SIZE = `
local first = math.floor((inbox_now() / 1000000 - INBOX_SECONDS) / 3600)
local hours = redis.call('HGETALL', INBOX_SIZE)
local size = 0
for index = 1, #hours, 2 do
  if tonumber(hours[index]) < first then
    redis.call('HDEL', INBOX_SIZE, hours[index])
  else
    size = size + tonumber(hours[index + 1])
  end
end
return size
`;
