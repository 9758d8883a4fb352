import { FORMAT } from './keys.js';
import type { Arg } from './link.js';
import type { Letter } from './outbox.js';

/**
 * Puts a message behind the arguments of a call as `POST` takes it. Most are events with one key: they
 * have a form of their own, since each argument costs in Redis and here.
 */
export function putPost(args: Arg[], { how, keys, blob }: Pick<Letter, 'how' | 'keys' | 'blob'>) {
  if (how === 'e' && keys.length === 1) args.push(keys[0]!, blob);
  else args.push(how, keys.length, ...keys, blob);
}

/** `nodes_of(first, count)`: the nodes in the interest keys that stand there in `ARGV`. */
export const NODES_OF = `
-- Arguments that one command takes at once: Lua's stack has an end.
local MOST = 4000

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
`;

/**
 * Writing messages into the mailboxes of the nodes that need them, one entry each. A message stands in
 * `ARGV` as: how, number of keys, keys, blob. How: `e` an event to the nodes in the interest keys; `l` the
 * same, but sessions leave rooms or end by it; `q`
 * the same, and the nodes that live are told; `a` all nodes are told; `n` the keys are nodes; `j<n>`,
 * `n<n>` the last n keys are needed from now on by the nodes that the others name. `e`, `q` and `a`
 * followed by `<n> <moves>`: the last n are nodes, which were found in other shards; nodes where
 * sessions arrived since then (`arrivals` behind `moves`) get it too. Short for `e` with one key: key,
 * blob; a key is told by its colon.
 *
 * `post(index)` takes the message that begins there, `send()` writes all that were taken; `asked` holds
 * the nodes of each `q`, `own` the entry that the node itself got, `behind(index)` says where the next message begins.
 */
export const POST = `${NODES_OF}
local entries, posted, asked = {}, {}, {}
local relocated, own, now = {}, ''

local function is_short(index)
  return string.byte(ARGV[index], 2) == 58
end

local function behind(index)
  if is_short(index) then return index + 2 end
  return index + tonumber(ARGV[index + 1]) + 3
end

local function add_others(nodes, first, last, moves)
  local seen = {}
  for _, node in ipairs(nodes) do seen[node] = true end
  local function add(node)
    if seen[node] then return end
    seen[node] = true
    nodes[#nodes + 1] = node
  end
  for index = first, last do add(ARGV[index]) end
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', base .. 'arrivals', '(' .. moves, '+inf')) do add(node) end
end

local function put(nodes, blob)
  for _, node in ipairs(nodes) do
    local entry = entries[node]
    if entry then entry[#entry + 1] = blob else entries[node] = { blob } end
  end
end

local function post(index)
  posted[#posted + 1] = index
  if is_short(index) then
    return put(redis.call('SMEMBERS', base .. ARGV[index]), ARGV[index + 1])
  end
  local how, count = ARGV[index], tonumber(ARGV[index + 1])
  local first = index + 2
  local joined, named, moves = 0, 0, ''
  if #how > 1 then
    how, named, moves = string.match(how, '^(%a)(%d+) ?(%d*)$')
    if moves == '' then joined, named = named, 0 end
  end
  local nodes
  if how == 'n' then
    nodes = { unpack(ARGV, first, first + count - joined - 1) }
  else
    nodes = nodes_of(first, count - joined - named)
  end
  if moves ~= '' then add_others(nodes, first + count - named, first + count - 1, moves) end
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
  elseif how == 'a' then
    asked[#asked + 1] = nodes
  end
  if how == 'j' or how == 'l' or how == 'a' then
    for _, node in ipairs(nodes) do relocated[node] = true end
  end
  put(nodes, ARGV[first + count])
end

local function send()
  local gone = {}
  for node, entry in pairs(entries) do
    local batch = table.concat(entry)
    local id = redis.call('XADD', base .. 'm:' .. node, 'NOMKSTREAM', '*', '${FORMAT}', batch)
    if not id then gone[#gone + 1] = node elseif node == me then own = id end
    if id and relocated[node] then redis.call('HSET', base .. 'relocated', node, id) end
  end
  if #gone == 0 then return end
  -- Named by a key, but cleared away: what the clearing has left is cleared here.
  for _, index in ipairs(posted) do
    local first, last = index, index
    if not is_short(index) then first, last = index + 2, index + 1 + tonumber(ARGV[index + 1]) end
    if is_short(index) or string.sub(ARGV[index], 1, 1) ~= 'n' then
      for key = first, last do redis.call('SREM', base .. ARGV[key], unpack(gone)) end
    end
  end
end
`;
