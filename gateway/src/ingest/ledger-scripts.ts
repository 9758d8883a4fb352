/**
 * Defines `trim(stream, group)`: takes off the stream what was given out and acknowledged, up to the
 * first that was not. So the first entry of a stream is the oldest that was not executed.
 */
export const TRIM = `
local function trim(stream, group)
  local pending = redis.pcall('XPENDING', stream, group)
  if pending.err then return end
  local first = pending[2]
  if not first then
    for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
      if info[2] == group then
        for index = 3, #info, 2 do
          if info[index] == 'last-delivered-id' then first = info[index + 1] end
        end
      end
    end
    local ms, number = string.match(first, '^(%d+)-(%d+)$')
    first = string.format('%s-%.0f', ms, number + 1)
  end
  redis.call('XTRIM', stream, 'MINID', first)
end
`;

/**
 * What the ledgers ask of Redis. Arguments stand in `args`: lease key, token, stream, group (empty
 * without a consumer), seconds for which ids are remembered, number of deeds; then for each deed entry,
 * key and digest of its id (empty: none), number of acts, number of users whose inbox keeps it and, if
 * any, namespace, tag, payload, expiry (ms, 0: none) and the users; number of users for whom a room is
 * held and, if any, namespace, room, 1 to hold or 0 to release, and the users;
 * number of users whose tokens are revoked and, if any, issued up to when, seconds, and the users.
 */
const HEAD = `${TRIM}
local position = 0
local function take()
  position = position + 1
  return args[position]
end
local lease, token, stream, group = take(), take(), take(), take()
local window, count = take(), tonumber(take())
local answer = { 0 }
local finished = {}

local function acknowledge()
  if #finished == 0 then return end
  redis.call('XACK', stream, group, unpack(finished))
  trim(stream, group)
end

-- Takes a deed's part for inboxes; returns in how many it lies.
local function keep(wanted)
  local users = tonumber(take())
  if users == 0 then return 0 end
  local namespace, tag, payload, expires = take(), take(), take(), tonumber(take())
  for _ = 1, users do
    local user = take()
    if wanted then
      local _, dropped = inbox_append(namespace, user, tag, payload, expires)
      answer[1] = answer[1] + (dropped or 0)
    end
  end
  return users
end

-- Takes a deed's part for the registry.
local function hold(wanted)
  local users = tonumber(take())
  if users == 0 then return end
  local namespace, room, held = take(), take(), take()
  for _ = 1, users do
    local user = take()
    if wanted then hold_room(namespace, room, held, user) end
  end
end

-- Takes a deed's part for who is let in.
local function revoke(wanted)
  local size = tonumber(take())
  if size == 0 then return end
  local issued, seconds, users = take(), take(), {}
  for index = 1, size do users[index] = take() end
  if wanted then revoke_tokens(issued, seconds, users) end
end
`;

/** Before anything is done: refuses a node that lost its lease, and one whose group somebody destroyed. */
const FENCE = `
if lease ~= '' then
  if redis.call('GET', lease) ~= token then return 'lost' end
  if redis.pcall('XPENDING', stream, group).err then return 'no group' end
end
`;

/**
 * All in one: for each deed looks whether it was done, publishes, keeps, records, acknowledges.
 * Answers `lost`, `no group`, or the number of events that fell out of inboxes and for each deed what became of
 * it and in how many inboxes it lies: `done`, `duplicate` or `conflict`. What is in conflict is not
 * acknowledged.
 */
export const SETTLE = `${HEAD}${FENCE}
local act = 0
for _ = 1, count do
  local entry, once, digest, acts = take(), take(), take(), tonumber(take())
  local known = once ~= '' and redis.call('GET', once)
  local verdict = 'done'
  if known and known ~= digest then
    verdict = 'conflict'
  elseif known then
    verdict = 'duplicate'
  end
  local inboxed = keep(verdict == 'done')
  hold(verdict == 'done')
  revoke(verdict == 'done')
  if verdict == 'done' then
    for number = act + 1, act + acts do publish(number) end
    if once ~= '' then redis.call('SET', once, digest, 'EX', window) end
  end
  if entry ~= '' and verdict ~= 'conflict' then finished[#finished + 1] = entry end
  act = act + acts
  answer[#answer + 1] = verdict
  answer[#answer + 1] = inboxed
end
acknowledge()
return answer
`;

/** The first of two steps: as `SETTLE`, but nothing is published, recorded or acknowledged. */
export const BEGIN = `${HEAD}${FENCE}
for _ = 1, count do
  local entry, once, digest = take(), take(), take()
  take()
  local known = once ~= '' and redis.call('GET', once)
  local verdict = 'done'
  if known and known ~= digest then
    verdict = 'conflict'
  elseif known then
    verdict = 'duplicate'
  end
  answer[#answer + 1] = verdict
  answer[#answer + 1] = keep(verdict == 'done')
  hold(verdict == 'done')
  revoke(verdict == 'done')
end
return answer
`;

/** The second: records and acknowledges what was done, whoever has the lease by now. */
export const END = `${HEAD}
for _ = 1, count do
  local entry, once, digest = take(), take(), take()
  take()
  keep(false)
  hold(false)
  revoke(false)
  if once ~= '' then redis.call('SET', once, digest, 'EX', window) end
  if entry ~= '' then finished[#finished + 1] = entry end
end
acknowledge()
return answer
`;
