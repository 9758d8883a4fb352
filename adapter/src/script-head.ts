/** `KEYS[1]`: what all names begin with. `ARGV[1]`: the node on whose behalf it runs. */
export const COMMON = `
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
export const FENCE = `
if not is_known(me) then return redis.error_reply('FENCED this node was cleared away') end
`;
