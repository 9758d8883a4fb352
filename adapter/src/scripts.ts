import { createHash } from 'node:crypto';
import { COUNT, ENTER, LEAVE, RENEW } from './node-scripts.js';
import { NODES_OF, POST } from './post-script.js';
import { COMMON, FENCE } from './script-head.js';
import { ARRIVE, CHANGE, CLAIM, MOVE, SETTLE } from './session-scripts.js';

/**
 * Writes a batch into the mailboxes of the nodes that need it (`post-script.ts`). First the time after
 * which it is not wanted any more (0: none): whoever asked has been told by then that it was not
 * taken, and has delivered it locally. Then the messages.
 * @returns [the entry in the node's own mailbox, empty when none of it is for the node, for each `q` and `a` the nodes]
 */
const PUBLISH = `${COMMON}${FENCE}
local not_after = tonumber(ARGV[2])
if not_after > 0 and now_ms() > not_after then return redis.error_reply('LATE') end
${POST}
local index = 3
while index <= #ARGV do
  post(index)
  index = behind(index)
end
send()
return { own, asked }
`;

/**
 * For messages to several shards, again and again: number of interest keys, keys.
 * @returns for each the nodes
 */
const NODES = `${COMMON}${FENCE}${NODES_OF}
local found, index = {}, 2
while index <= #ARGV do
  local count = tonumber(ARGV[index])
  found[#found + 1] = nodes_of(index + 1, count)
  index = index + 1 + count
end
return found
`;

const SCRIPTS = {
  publish: PUBLISH,
  nodes: NODES,
  change: CHANGE,
  enter: ENTER,
  renew: RENEW,
  leave: LEAVE,
  count: COUNT,
  claim: CLAIM,
  move: MOVE,
  arrive: ARRIVE,
  settle: SETTLE,
};

export type ScriptName = keyof typeof SCRIPTS;

export interface Script {
  readonly lua: string;
  /** The digest that Redis calls it by. */
  readonly sha: string;
}

export function scriptOf(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

export const scripts = Object.fromEntries(
  Object.entries(SCRIPTS).map(([name, lua]) => [name, scriptOf(lua)]),
) as Record<ScriptName, Script>;
