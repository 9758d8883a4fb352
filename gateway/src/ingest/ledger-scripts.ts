import { RECEIPTS_EXPIRE_SECONDS, RECEIPTS_KEPT } from './receipts.js';

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
 * What the ledgers ask of Redis. Arguments stand in `args`: lease key, token, stream, group, entry that
 * must have been acknowledged (empty: none; all are without a consumer), seconds for which ids are
 * remembered, number of deeds. Plain deeds, which are an entry (empty: none) and one act, stand in rows: how
 * many, and their entries. Behind each row, if it is not the end, stands a deed that is more: entry, key and
 * digest of its id (empty: none), number of acts, number of users whose inbox keeps it and, if any, namespace,
 * tag, payload, ms for which it is worth delivering (0: no end) and the users; number of
 * users for whom a room is held and, if any, namespace, room, 1 to hold or 0 to release, and the users;
 * number of users whose tokens are revoked and, if any, issued up to when, seconds, and the users;
 * stream of its receipt (empty: none) and, if any, outcome when it is done, sessions (empty: not known),
 * number of further names and texts, and these.
 */
const HEAD = `${TRIM}
local position = 0
local function take()
  position = position + 1
  return args[position]
end
local lease, token, stream, group, after = take(), take(), take(), take(), take()
local window, count = take(), tonumber(take())
local answer = { 0, 0, 0 }
local finished, recorded = {}, {}

-- Calls plain(entry) for each deed that is, and other(number) where one that is more begins, until that says
-- true.
local function each(plain, other)
  local number = 0
  while number < count do
    local row = tonumber(take())
    for at = position + 1, position + row do plain(args[at]) end
    position, number = position + row, number + row
    if number < count then
      if other(number + 1) then break end
      number = number + 1
    end
  end
  answer[3] = number
end

-- Only what is not plainly done.
local function say(number, verdict, inboxed)
  if verdict == 'done' and inboxed == 0 then return end
  answer[#answer + 1] = number
  answer[#answer + 1] = verdict
  answer[#answer + 1] = inboxed
end

-- Whether it was done under this key, before or in this call.
local function judge(once, digest)
  if once == '' then return 'done' end
  local known = recorded[once] or redis.call('GET', once)
  if not known then
    recorded[once] = digest
    return 'done'
  end
  return known == digest and 'duplicate' or 'conflict'
end

local function record()
  for once, digest in pairs(recorded) do redis.call('SET', once, digest, 'EX', window) end
end

local function finish(entry)
  if entry ~= '' then finished[#finished + 1] = entry end
end

local function acknowledge()
  if #finished == 0 then return end
  redis.call('XACK', stream, group, unpack(finished))
  trim(stream, group)
end

-- Takes a deed's part for inboxes; returns in how many it lies.
local function keep(wanted)
  local users = tonumber(take())
  if users == 0 then return 0 end
  local namespace, tag, payload, ttl = take(), take(), take(), tonumber(take())
  for _ = 1, users do
    local user = take()
    if wanted then
      local _, dropped = inbox_append(namespace, user, tag, payload, ttl)
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

-- Takes a deed's receipt; returns it as far as it is known, or nothing.
local function report()
  local receipts = take()
  if receipts == '' then return end
  local outcome, sessions, fields = take(), take(), {}
  for index = 1, tonumber(take()) do fields[index] = take() end
  return { stream = receipts, outcome = outcome, sessions = sessions, fields = fields }
end

-- What is in conflict is refused: whoever refuses it writes its receipt.
local function write(receipt, verdict, inboxed)
  if verdict == 'conflict' then return end
  local fields, done = receipt.fields, verdict == 'done'
  local function add(name, text)
    fields[#fields + 1] = name
    fields[#fields + 1] = text
  end
  add('outcome', done and receipt.outcome or verdict)
  if done and receipt.sessions ~= '' then add('sessions', receipt.sessions) end
  add('inboxed', done and inboxed or 0)
  local id = redis.pcall('XADD', receipt.stream, 'MAXLEN', '~', ${RECEIPTS_KEPT}, '*', unpack(fields))
  if type(id) == 'table' then
    answer[2] = answer[2] + 1
  else
    redis.call('EXPIRE', receipt.stream, ${RECEIPTS_EXPIRE_SECONDS})
  end
end
`;

/** Before anything is done: refuses a node that lost its lease, and one whose group somebody destroyed. */
const FENCE = `
if lease ~= '' then
  if redis.call('GET', lease) ~= token then return 'lost' end
  local range = after ~= '' and { after, after, 1 } or {}
  local pending = redis.pcall('XPENDING', stream, group, unpack(range))
  if pending.err then return 'no group' end
  if after ~= '' and #pending > 0 then return 'out of turn' end
end
`;

/**
 * All in one: for each deed looks whether it was done, publishes, keeps, records, acknowledges. It sends
 * before it records: an error leaves nothing recorded or acknowledged. What cannot be written as a receipt
 * is counted and stops nothing.
 * Answers `lost`, `no group`, `out of turn`, or the number of events that fell out of inboxes, of receipts
 * that could not be written and of deeds, and for each that was not plainly done its number, what became of it
 * (`done`, `duplicate` or `conflict`) and in how many inboxes it lies. What is in conflict is not acknowledged.
 */
export const SETTLE = `${HEAD}${FENCE}
local act, receipts = 0, {}
each(function(entry)
  act = act + 1
  publish(act)
  finish(entry)
end, function(number)
  local entry, once, digest, acts = take(), take(), take(), tonumber(take())
  local verdict = judge(once, digest)
  local inboxed = keep(verdict == 'done')
  hold(verdict == 'done')
  revoke(verdict == 'done')
  local receipt = report()
  if receipt then receipts[#receipts + 1] = { receipt, verdict, inboxed } end
  if verdict == 'done' then
    for index = act + 1, act + acts do publish(index) end
  end
  if verdict ~= 'conflict' then finish(entry) end
  act = act + acts
  say(number, verdict, inboxed)
end)
send()
record()
acknowledge()
for _, receipt in ipairs(receipts) do write(unpack(receipt)) end
return answer
`;

/** The last two arguments of both steps: who tries, and for how many ms an id is reserved for a try. */
const TRY = `
local this_try, reserved = 'try ' .. args[#args - 1], args[#args]
`;

/**
 * The first of two steps: as `SETTLE`, but nothing is published, recorded or acknowledged: what is to be done
 * under an id is reserved. It ends before the first whose id another try has reserved, and answers for those
 * before it.
 */
export const BEGIN = `${HEAD}${FENCE}${TRY}
-- Whether another try of it is under way. One of our own that was left behind is none.
local function is_taken(once)
  local known = once ~= '' and not recorded[once] and redis.call('GET', once)
  if known == this_try then redis.call('DEL', once) end
  return known and known ~= this_try and string.sub(known, 1, 4) == 'try '
end

each(function() end, function(number)
  local entry, once, digest = take(), take(), take()
  take()
  if is_taken(once) then return true end
  local verdict = judge(once, digest)
  if recorded[once] and verdict == 'done' then redis.call('SET', once, this_try, 'PX', reserved) end
  local inboxed = keep(verdict == 'done')
  hold(verdict == 'done')
  revoke(verdict == 'done')
  report()
  say(number, verdict, inboxed)
end)
return answer
`;

/**
 * The second: records and acknowledges what was done, whoever has the lease by now. An id without a digest was
 * not done: it is free again.
 */
export const END = `${HEAD}${TRY}
each(finish, function()
  local entry, once, digest = take(), take(), take()
  take()
  keep(false)
  hold(false)
  revoke(false)
  report()
  if digest ~= '' then
    recorded[once] = digest
  elseif once ~= '' and redis.call('GET', once) == this_try then
    redis.call('DEL', once)
  end
  finish(entry)
end)
record()
acknowledge()
return answer
`;
