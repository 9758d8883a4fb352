import type { Config } from '../config.js';
import { inboxBase } from './inbox-keys.js';

/** Of the configuration, what bounds an inbox. */
export type InboxLimits = Pick<Config, 'inboxMaxEvents' | 'inboxMaxBytes' | 'inboxSeconds'>;

/**
 * Lua that defines `inbox_append(namespace, user, tag, payload, expires_at)`, for scripts that keep an
 * event in the step that sends it. `expires_at` is in ms since the epoch, 0: never. It returns 1, or 0
 * when an event of this tag lies there already, and how many older ones went out for it.
 */
export function inboxLua(config: InboxLimits & Pick<Config, 'redisPrefix'>): string {
  return `
local INBOX = '${inboxBase(config.redisPrefix)}'
local INBOX_EVENTS, INBOX_BYTES = ${config.inboxMaxEvents}, ${config.inboxMaxBytes}
local INBOX_SECONDS = ${config.inboxSeconds}

local function inbox_names(namespace, user)
  local name = namespace .. ':' .. user
  return INBOX .. ':order:' .. name, INBOX .. ':items:' .. name
end

-- Redis' clock in microseconds.
local function inbox_now()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Lets go of one event; returns the bytes that are left.
local function inbox_drop(order, items, tag)
  local bytes = redis.call('HINCRBY', items, '', -redis.call('HSTRLEN', items, tag))
  redis.call('HDEL', items, tag)
  redis.call('ZREM', order, tag)
  return bytes
end

-- Lets go of the oldest until all limits are kept; the newest stays. Returns how many went out.
local function inbox_limit(order, items, now)
  local count = redis.call('ZCARD', order)
  local bytes = tonumber(redis.call('HGET', items, ''))
  local dropped = 0
  while count > 1 do
    local oldest = redis.call('ZRANGE', order, 0, 0, 'WITHSCORES')
    local old = tonumber(oldest[2]) < now - INBOX_SECONDS * 1000000
    if not old and count <= INBOX_EVENTS and bytes <= INBOX_BYTES then break end
    bytes = inbox_drop(order, items, oldest[1])
    count = count - 1
    dropped = dropped + 1
  end
  return dropped
end

local function inbox_append(namespace, user, tag, payload, expires_at)
  local order, items = inbox_names(namespace, user)
  if redis.call('ZSCORE', order, tag) then return 0, 0 end
  local now = inbox_now()
  local newest = redis.call('ZRANGE', order, -1, -1, 'WITHSCORES')[2]
  local place = math.max(now, (tonumber(newest) or 0) + 1)
  local item = string.format('%.0f %s', expires_at, payload)
  redis.call('ZADD', order, string.format('%.0f', place), tag)
  redis.call('HSET', items, tag, item)
  redis.call('HINCRBY', items, '', #item)
  redis.call('EXPIRE', order, INBOX_SECONDS)
  redis.call('EXPIRE', items, INBOX_SECONDS)
  return 1, inbox_limit(order, items, now)
end
`;
}

/**
 * Looks into inboxes. Most events of one, most bytes of one, most bytes of all; then namespace, user and the
 * place behind which to look (`-`: only where the newest stands), again and again. Answers for each
 * nothing when the inbox is empty, else whether more lies there, up to where it was looked, how many
 * were let go of because they had expired, and tag and event again and again.
 */
export const LOOK = `
local most_events, most_bytes, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = inbox_now()

local function read(order, items, after)
  local answer = { 0, after, 0 }
  local found = redis.call('ZRANGE', order, '(' .. after, '+inf', 'BYSCORE',
    'LIMIT', 0, most_events + 1, 'WITHSCORES')
  local bytes = 0
  for index = 1, #found, 2 do
    local tag = found[index]
    local item = redis.call('HGET', items, tag)
    local begin = string.find(item, ' ', 1, true)
    local expires = tonumber(string.sub(item, 1, begin - 1))
    if expires > 0 and expires * 1000 <= now then
      inbox_drop(order, items, tag)
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

local answers = {}
for index = 4, #ARGV, 3 do
  local order, items = inbox_names(ARGV[index], ARGV[index + 1])
  local newest = redis.call('ZRANGE', order, -1, -1, 'WITHSCORES')[2]
  local answer = false
  if newest and ARGV[index + 2] == '-' then
    answer = { 0, newest, 0 }
  elseif newest then
    inbox_limit(order, items, now)
    answer = read(order, items, ARGV[index + 2])
  end
  answers[#answers + 1] = answer
end
return answers
`;

/**
 * Takes events out: namespace, user, number of tags and the tags; or -1 and the place up to which all
 * is taken; again and again. Answers how many there were.
 */
export const TAKE = `
local taken = 0
local index = 1
while index <= #ARGV do
  local order, items = inbox_names(ARGV[index], ARGV[index + 1])
  local count = tonumber(ARGV[index + 2])
  local tags = {}
  if count < 0 then
    tags = redis.call('ZRANGE', order, '-inf', ARGV[index + 3], 'BYSCORE')
    count = 1
  else
    for at = index + 3, index + 2 + count do tags[#tags + 1] = ARGV[at] end
  end
  for _, tag in ipairs(tags) do
    if redis.call('ZSCORE', order, tag) then
      inbox_drop(order, items, tag)
      taken = taken + 1
    end
  end
  if redis.call('EXISTS', order) == 0 then redis.call('DEL', items) end
  index = index + 3 + count
end
return taken
`;
