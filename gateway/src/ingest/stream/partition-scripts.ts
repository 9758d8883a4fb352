import { TRIM } from '../ledger-scripts.js';

/**
 * What the stream door asks of Redis. A lease holds the token of the reader that has it:
 * `<node>/<acquisition>/<epoch>`. The epoch grows whenever the reader begins anew, so that a call of
 * its own that was given up on finds itself refused; who renews or releases goes by what is before it.
 */
const COMMON = `
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function holds(lease, base)
  local token = redis.call('GET', lease)
  return token and string.sub(token, 1, #base + 1) == base .. '/'
end

-- When the oldest entry was written that was not executed, in ms; nil: there is none.
local function oldest(stream)
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  return first and tonumber(string.match(first[1], '^%d+'))
end
`;

/**
 * Defines `ship(entries, entry, largest)`: adds to the answer what is sent of an entry, and returns its
 * bytes; of one that is too large only who wants to know, and that it is. `shipped(entries)` is the
 * answer: one JSON text costs Redis and the node half of what lists in lists do.
 */
const SHIP = `
local asking = { to = true, key = true, id = true, source = true, receipt = true }
local function ship(entries, entry, largest)
  local fields, bytes = entry[2], 0
  local texts = #fields
  for index = 1, texts do bytes = bytes + #fields[index] end
  if bytes <= largest and texts <= 2000 then
    entries[#entries + 1] = entry
    return bytes
  end
  local kept, size = {}, 0
  for index = 1, texts - 1, 2 do
    local name, text = fields[index], fields[index + 1]
    if asking[name] and #text <= 256 and #kept < 20 then
      kept[#kept + 1] = name
      kept[#kept + 1] = text
      size = size + #name + #text
    end
  end
  entries[#entries + 1] = { entry[1], kept, 1 }
  return size
end

local function shipped(entries)
  return #entries == 0 and '[]' or cjson.encode(entries)
end
`;

/**
 * Makes the number of partitions known. Keys: partitions, highest, history. Arguments: the number;
 * 1: only if there is none. Writers go by 1 while there is none.
 */
const PUBLISH = `${COMMON}
local partitions, highest, history = unpack(KEYS)
local known = redis.call('GET', partitions)
local before = tonumber(known or 1)
local wanted = known and ARGV[2] == '1' and before or tonumber(ARGV[1])
if redis.call('EXISTS', history) == 0 then redis.call('SET', history, '0:' .. before) end
if before ~= wanted then
  redis.call('APPEND', history, string.format(' %.0f:%d', now_ms(), wanted))
end
redis.call('SET', partitions, wanted)
local most = math.max(tonumber(redis.call('GET', highest) or 0), before, wanted)
redis.call('SET', highest, most)
return most
`;

/**
 * A node's turn: it says that it lives, renews the leases that it holds, takes those that are free
 * while nobody has fewer or that were free in its turn before, and is told which to give up: one while
 * somebody has two fewer, all when it does not take part.
 * Keys: nodes, partitions, highest, history. Arguments: node, whether it takes part (0: no, 1: yes, 2: it
 * keeps what it has and takes only what has long been free), ms for which it
 * lives, ms of a lease, token for new leases, how lease keys and streams begin, ms within which
 * writers follow a new number, partitions that have long been free (each between commas),
 * pairs of partition and token without epoch.
 * Answers nil when the number is not there (Redis came back empty), or the time, history, and lists: lost, taken, to be released, left free; then for each
 * partition executed here number, entries, and ms since the oldest was written.
 */
const TEND = `${COMMON}
local nodes, partitions, highest, history = unpack(KEYS)
local node, takes_part, lives, lasts, token, lease_base, stream_base, lag, seen = unpack(ARGV, 1, 9)
lives, lasts, lag = tonumber(lives), tonumber(lasts), tonumber(lag)
if redis.call('EXISTS', partitions, highest) < 2 then return false end
local now = now_ms()
redis.call('ZREMRANGEBYSCORE', nodes, '-inf', now)
if takes_part == '1' then redis.call('ZADD', nodes, now + lives, node) else redis.call('ZREM', nodes, node) end

local function lease_of(index) return lease_base .. index end
local function stream_of(index)
  return index == 0 and stream_base or stream_base .. ':' .. index
end

-- Partitions whose number is no longer in use are executed until they are empty.
local number = tonumber(redis.call('GET', partitions) or 1)
local most = math.max(number, tonumber(redis.call('GET', highest) or 1))
local active, is_active = {}, {}
local first
for index = 0, most - 1 do
  local stream = stream_of(index)
  local begins = oldest(stream)
  if begins and (not first or begins < first) then first = begins end
  if index < number or begins then
    active[#active + 1] = index
    is_active[index] = { redis.call('XLEN', stream), begins and math.max(0, now - begins) or 0 }
  end
end

-- A number that nobody goes by any more is forgotten when nothing is left of its time.
local told = redis.call('GET', history) or '0:' .. number
local settled = math.min(now, first or now) - lag
while true do
  local ended = tonumber(string.match(told, '^%S+ (%d+):'))
  if not ended or ended >= settled then break end
  told = string.match(told, '^%S+ (.*)$')
end
redis.call('SET', history, told)

local lost, taken, given, held, left = {}, {}, {}, {}, {}
for at = 10, #ARGV, 2 do
  local index = tonumber(ARGV[at])
  if holds(lease_of(index), ARGV[at + 1]) then
    redis.call('PEXPIRE', lease_of(index), lasts)
    held[#held + 1] = index
  else
    lost[#lost + 1] = index
  end
end

local counts, free = {}, {}
for _, living in ipairs(redis.call('ZRANGE', nodes, 0, -1)) do counts[living] = 0 end
for _, index in ipairs(active) do
  local holder = redis.call('GET', lease_of(index))
  if holder then
    local owner = string.match(holder, '^[^/]+')
    if counts[owner] then counts[owner] = counts[owner] + 1 end
  else
    free[#free + 1] = index
  end
end
local function fewest()
  local least
  for _, count in pairs(counts) do
    if not least or count < least then least = count end
  end
  return least or 0
end
for _, index in ipairs(free) do
  -- Who has fewest may be busy otherwise.
  local waits = string.find(seen, ',' .. index .. ',', 1, true)
  local share = counts[node]
  if takes_part ~= '0' and (waits or share and share <= fewest()) then
    redis.call('SET', lease_of(index), token .. '/0', 'PX', lasts)
    if share then counts[node] = share + 1 end
    taken[#taken + 1] = index
  else
    left[#left + 1] = index
  end
end
for _, index in ipairs(held) do
  if takes_part == '0' or not is_active[index] then
    given[#given + 1] = index
  elseif #free == 0 and #given == 0 and (counts[node] or 0) > fewest() + 1 then
    given[#given + 1] = index
  end
end

local answer = { now, told, lost, taken, given, left }
for _, index in ipairs(held) do
  local state = is_active[index] or { 0, 0 }
  answer[#answer + 1] = index
  answer[#answer + 1] = state[1]
  answer[#answer + 1] = state[2]
end
return answer
`;

/** Keys: lease. Arguments: token without epoch. */
const RELEASE = `${COMMON}
if holds(KEYS[1], ARGV[1]) then return redis.call('DEL', KEYS[1]) end
return 0
`;

/** Keys: nodes. Arguments: node. */
const LEAVE = `return redis.call('ZREM', KEYS[1], ARGV[1])`;

/**
 * Begins anew under the next epoch with what is pending, whoever it was given to; one by one, as nobody
 * knows how large the next is. Keys: lease, stream, history. Arguments: token without epoch, epoch,
 * group, consumer, entry to begin at, entries at most, bytes after which it is enough, bytes above which
 * an entry is too large. Answers `lost`, or history, where to go on (`0-0`: all was seen), entries,
 * entries that are gone from the stream.
 */
const CLAIM = `${COMMON}${SHIP}
local lease, stream, history = unpack(KEYS)
local base, epoch, group, consumer, from, most, enough, largest = unpack(ARGV)
most, enough, largest = tonumber(most), tonumber(enough), tonumber(largest)
if not holds(lease, base) then return 'lost' end
redis.call('SET', lease, base .. '/' .. epoch, 'KEEPTTL')
local told = redis.call('GET', history) or ''
local entries, gone, bytes = {}, {}, 0
repeat
  local claimed = redis.pcall('XAUTOCLAIM', stream, group, consumer, 0, from, 'COUNT', 1)
  if claimed.err then
    -- From its beginning: what was executed is not in there any more.
    redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
    return { told, '0-0', '[]', {} }
  end
  from = claimed[1]
  for _, entry in ipairs(claimed[2]) do bytes = bytes + ship(entries, entry, largest) end
  for _, id in ipairs(claimed[3]) do gone[#gone + 1] = id end
until from == '0-0' or #entries + #gone >= most or bytes >= enough
if from == '0-0' then
  for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    if info[2] ~= consumer and info[4] == 0 then
      redis.call('XGROUP', 'DELCONSUMER', stream, group, info[2])
    end
  end
end
return { told, from, shipped(entries), gone }
`;

/** Entries that are read in one go: each go costs, and what does not fit is put back. */
const GO = 16;

/**
 * Keys: lease, stream, history. Arguments: token, group, consumer, entries at most, bytes after which it
 * is enough, bytes above which an entry is too large. Answers `lost`, `no group`, or history, new
 * entries and, when there are none, the last entry that there ever was.
 */
const READ = `${TRIM}${SHIP}
local lease, stream, history = unpack(KEYS)
local token, group, consumer, most, enough, largest = unpack(ARGV)
most, enough, largest = tonumber(most), tonumber(enough), tonumber(largest)
if redis.call('GET', lease) ~= token then return 'lost' end

-- To be given out again: nobody was given what stands behind the last.
local function put_back(given, first, last)
  local ids = {}
  for index = first, #given do ids[#ids + 1] = given[index][1] end
  redis.call('XACK', stream, group, unpack(ids))
  redis.call('XGROUP', 'SETID', stream, group, last)
end

local entries, bytes = {}, 0
repeat
  local go = math.min(${GO}, most - #entries)
  local reply = redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', go, 'STREAMS', stream, '>')
  if reply and reply.err then
    if string.find(reply.err, 'NOGROUP', 1, true) then return 'no group' end
    return reply
  end
  local given = reply and reply[1] and reply[1][2] or {}
  for index = 1, #given do
    if bytes >= enough then
      put_back(given, index, given[index - 1][1])
      break
    end
    bytes = bytes + ship(entries, given[index], largest)
  end
until #given < go or #entries >= most or bytes >= enough
local told = redis.call('GET', history) or ''
if #entries > 0 then return { told, shipped(entries), '' } end
-- Also what others have acknowledged.
if redis.call('XLEN', stream) > 0 then trim(stream, group) end
local info = redis.call('XINFO', 'STREAM', stream)
for index = 1, #info, 2 do
  if info[index] == 'last-generated-id' then return { told, '[]', info[index + 1] } end
end
`;

/**
 * Moves entries to the dead stream, as they stand in their own. Keys: lease, stream, dead stream.
 * Arguments: token, group, most dead entries, texts of an entry above which they are kept as one (Lua's
 * stack has an end), then for each entry its id, number of texts, and the texts of its letter.
 * Answers `lost`, or how many old dead entries went out.
 */
const BURY = `${TRIM}
local lease, stream, dead = unpack(KEYS)
local token, group, texts_max, most, most_bytes = unpack(ARGV, 1, 5)

-- Lets go of the oldest until the dead stream takes no more memory than it may; the newest stays.
local function limit_bytes()
  local dropped = 0
  while redis.call('XLEN', dead) > 1 do
    local used = redis.pcall('MEMORY', 'USAGE', dead, 'SAMPLES', 0)
    -- Who may not ask for it keeps the other bound.
    local over = type(used) == 'number' and used - most_bytes or 0
    if over <= 0 then break end
    for _ = 2, redis.call('XLEN', dead) do
      local oldest = redis.call('XRANGE', dead, '-', '+', 'COUNT', 1)[1]
      redis.call('XDEL', dead, oldest[1])
      dropped = dropped + 1
      for _, text in ipairs(oldest[2]) do over = over - #text end
      if over <= 0 then break end
    end
  end
  return dropped
end

if redis.call('GET', lease) ~= token then return 'lost' end
local at = 6
while at <= #ARGV do
  local id, count = ARGV[at], tonumber(ARGV[at + 1])
  if redis.call('XACK', stream, group, id) == 1 then
    local entry = redis.call('XRANGE', stream, id, id)[1]
    local texts = entry and entry[2] or {}
    if #texts > tonumber(texts_max) then texts = { 'fields', cjson.encode(texts) } end
    for index = at + 2, at + 1 + count do texts[#texts + 1] = ARGV[index] end
    redis.call('XADD', dead, '*', unpack(texts))
  end
  at = at + 2 + count
end
trim(stream, group)
return redis.call('XTRIM', dead, 'MAXLEN', '~', most) + limit_bytes()
`;

/** Keys: streams. Answers for each when the oldest entry was written, in ms; -1: it has none. */
const OLDEST = `${COMMON}
local answer = {}
for number, stream in ipairs(KEYS) do answer[number] = oldest(stream) or -1 end
return answer
`;

export const PARTITION_SCRIPTS = {
  publish: PUBLISH,
  tend: TEND,
  release: RELEASE,
  leave: LEAVE,
  claim: CLAIM,
  read: READ,
  bury: BURY,
  oldest: OLDEST,
} as const;

export type PartitionScript = keyof typeof PARTITION_SCRIPTS;
