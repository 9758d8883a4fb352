import type { Arg } from './link.js';
import type { MailboxNode } from './node.js';
import { POST, putPost } from './post-script.js';
import type { Post } from './posts.js';
import { COMMON, FENCE } from './script-head.js';
import { type Script, scriptOf } from './scripts.js';

/** What decides in Redis over messages that are sent together. */
export interface Guard {
  /**
   * The body of a function. `publish(i)` takes the i-th message (from 1, each once), `send()` writes
   * into the mailboxes what was taken; it is called at the end too. `args` holds the arguments as texts,
   * `redis.call` is as ever. Of an error reply that it returns nothing more is sent; what was written
   * stays: it looks first, sends then and records at last. One of few texts: each is kept.
   */
  readonly lua: string;
  readonly args: readonly Arg[];
}

export interface Together {
  /** What the guard returned. */
  readonly answer: unknown;
  /** Ids that the messages have when the guard published them. */
  readonly ids: readonly string[];
}

/** Messages of one call. */
export const TOGETHER_MAX = 64;

const scripts = new Map<string, Script>();

/** @throws RedisAway, RangeError for too many messages or shards */
export async function publishTogether(
  node: MailboxNode,
  posts: readonly Post[],
  guard: Guard,
): Promise<Together> {
  if (posts.length > TOGETHER_MAX)
    throw new RangeError(`${posts.length} messages at once, ${TOGETHER_MAX} at most`);
  const [shard, ...more] = node.shards.all;
  if (more.length > 0) throw new RangeError('what is sent together needs one shard');
  const args: Arg[] = [node.nodeId, posts.length];
  const ids: string[] = [];
  for (const { how, keys, draft } of posts) {
    const { id, blob } = node.write(draft, shard!);
    ids.push(id);
    putPost(args, { how, keys, blob });
  }
  for (const arg of guard.args) args.push(arg);
  return { answer: await shard!.link.runOther(guarded(guard.lua), args), ids };
}

/** Number of messages, messages, arguments of the guard. */
function guarded(lua: string): Script {
  let script = scripts.get(lua);
  if (!script) {
    script = scriptOf(`${COMMON}${FENCE}${POST}
local messages, args, index = {}, {}, 3
for number = 1, tonumber(ARGV[2]) do
  messages[number] = index
  index = behind(index)
end
for at = index, #ARGV do args[#args + 1] = ARGV[at] end
local function publish(number) post(messages[number]) end
local write = send
local function send()
  write()
  entries, posted = {}, {}
end
local function guard()
${lua}
end
local answer = guard()
if type(answer) ~= 'table' or not answer.err then send() end
return answer
`);
    scripts.set(lua, script);
  }
  return script;
}
