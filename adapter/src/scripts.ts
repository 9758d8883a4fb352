import { createHash } from 'node:crypto';
import { FORMAT } from './keys.js';
import { COUNT, ENTER, LEAVE, RENEW } from './node-scripts.js';
import { COMMON, FENCE } from './script-head.js';
import { CHANGE, CLAIM, MOVE } from './session-scripts.js';

/**
 * Writes a batch into the mailboxes of the nodes that need it, one entry each. First the time after
 * which it is not wanted any more (0: none): whoever asked has been told by then that it was not
 * taken, and has delivered it locally. For each message:
 * how, number of keys, keys, blob. How: `e` an event to the nodes in the interest keys; `q` the same,
 * and the nodes that live are told; `n` the keys are nodes; `j<n>` the last n keys
 * are needed from now on by the nodes that the others name.
 * @returns for each `q` the nodes
 */
const PUBLISH = `${COMMON}${FENCE}
local not_after = tonumber(ARGV[2])
if not_after > 0 and now_ms() > not_after then return redis.error_reply('LATE') end
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
local index = 3
local now
while index <= last do
  local how, count = ARGV[index], tonumber(ARGV[index + 1])
  local first = index + 2
  index = first + count + 1
  local blob = ARGV[index - 1]
  local nodes
  local joined = tonumber(string.match(how, '^j(%d+)$') or 0)
  if how == 'n' then
    nodes = { unpack(ARGV, first, first + count - 1) }
  else
    nodes = nodes_of(first, count - joined)
  end
  for _, node in ipairs(nodes) do
    for key = first + count - joined, first + count - 1 do
      redis.call('SADD', base .. ARGV[key], node)
      redis.call('SADD', base .. 'k:' .. node, ARGV[key])
      redis.call('HINCRBY', base .. 'j:' .. node, ARGV[key], 1)
    end
  end
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
  index = 3
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
