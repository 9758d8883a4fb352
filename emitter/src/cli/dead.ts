import { commandOfEntry, deadOfEntry, type DeadLetter } from '@streamgate/protocol/stream';
import { fieldOf, orderingKey, partitionOf } from '@streamgate/protocol/stream';
import { parseCommand } from '@streamgate/protocol/commands';
import { toGatewayError } from '@streamgate/protocol/errors';
import { type CliCommand, type Context, UsageError } from './command.js';
import { printable, table } from './table.js';
import { objectOf } from './tail.js';

interface Dead {
  /** Id in the dead stream. */
  readonly id: string;
  readonly fields: string[];
  readonly letter: Partial<DeadLetter>;
}

interface Chosen {
  readonly letters: readonly Dead[];
  /** Ids of which there is none. */
  readonly missing: number;
}

const PAGE = 500;
const several = { type: 'string', multiple: true } as const;
const flag = { type: 'boolean' } as const;

export const dead: CliCommand = {
  usage: 'dead list | show <id> | replay <id…> | drop <id…>',
  summary: 'what could not be executed: look, mend, send again, throw away',
  help: `
  dead list             newest first
    --count <n>         so many (50)
    --code <code>       only of this code
  dead show <id>        every field
  dead replay <id…>     writes it to its partition again and takes it off the dead stream
    --all               every one (with --code: of this code)
    --set name=value    mends a field first; may be given several times
    --unset name        removes a field first
    --force             also what this version would refuse again
  dead drop <id…>       throws it away; --all and --code as above

Of an id that is not there it says so, does the others, and ends with status 1.

A ttl counts anew from the replay. An id that was executed meanwhile is not executed twice.`,
  options: {
    ...{ count: { type: 'string' }, code: { type: 'string' }, all: flag, force: flag },
    ...{ set: several, unset: several },
  },
  async run(context) {
    const [action, ...ids] = context.args;
    switch (action) {
      case 'list':
        return list(context);
      case 'show':
        return show(context, await chosen(context, ids));
      case 'replay':
        return forEach(context, await chosen(context, ids), replay);
      case 'drop':
        return forEach(context, await chosen(context, ids), drop);
      default:
        throw new UsageError('Give list, show, replay or drop');
    }
  },
};

async function list(context: Context): Promise<number> {
  const { json, print, values } = context;
  const count = Number(values.count ?? 50);
  if (!(count > 0)) throw new UsageError('--count is a number');
  const letters: Dead[] = [];
  for await (const one of all(context)) {
    if (letters.length === count) break;
    if (isWanted(context, one)) letters.push(one);
  }
  if (json) for (const one of letters) print(JSON.stringify(jsonOf(one)));
  else if (letters.length === 0) print('Nothing is dead.');
  else
    for (const line of table(
      ['ID', 'TIME', 'CODE', 'REASON', 'TO', 'EVENT'],
      letters.map(({ id, fields, letter: { time, code = '', reason = '' } }) => [
        ...[id, time === undefined ? '' : new Date(time).toISOString(), code, reason],
        ...[
          fieldOf(fields, 'to') ?? '',
          fieldOf(fields, 'event') ?? fieldOf(fields, 'action') ?? '',
        ],
      ]),
    ))
      print(line);
  return 0;
}

/** Exit status 1 when one of them is not there. */
function show({ json, print }: Context, { letters, missing }: Chosen): number {
  for (const one of letters)
    if (json) print(JSON.stringify(jsonOf(one)));
    else {
      const { id, fields, letter } = one;
      print(`id: ${id}`);
      for (const [name, value] of Object.entries(letter))
        print(`${name}: ${printable(String(value))}`);
      for (let index = 0; index < fields.length; index += 2)
        print(`  ${printable(fields[index]!)} = ${printable(fields[index + 1] ?? '')}`);
    }
  return missing > 0 ? 1 : 0;
}

/** Exit status 1 when one of them could not be done, or is not there. */
async function forEach(
  context: Context,
  { letters, missing }: Chosen,
  act: (context: Context, letter: Dead) => Promise<string | undefined>,
): Promise<number> {
  let failed = missing;
  for (const letter of letters) {
    const done = await act(context, letter);
    if (done === undefined) failed += 1;
    else
      context.print(
        context.json ? JSON.stringify({ id: letter.id, done }) : `${letter.id}  ${done}`,
      );
  }
  return failed > 0 ? 1 : 0;
}

/** Written and taken off in one call: neither lost nor doubled by two people who replay. */
const REPLAY = `
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return false end
local entry = redis.call('XADD', KEYS[2], '*', unpack(ARGV, 2))
redis.call('XDEL', KEYS[1], ARGV[1])
return entry`;

async function replay(context: Context, { id, fields }: Dead): Promise<string | undefined> {
  const { redis, names, values } = context;
  const mended = mend(fields, values);
  if (!values.force) {
    const refusal = refusalOf(mended);
    if (refusal !== undefined) {
      complain(context, id, `would be refused again: ${refusal}`);
      return undefined;
    }
  }
  const count = Number((await redis.get(names.partitions)) ?? 1);
  const stream = names.partition(partitionOf(orderingKey(mended), count));
  const entry = (await redis.eval(REPLAY, 2, names.dead, stream, id, ...mended)) as string | null;
  if (entry === null) {
    complain(context, id, 'is not there any more');
    return undefined;
  }
  return `replayed as ${stream} ${entry}`;
}

async function drop(context: Context, { id }: Dead): Promise<string | undefined> {
  const { redis, names } = context;
  if ((await redis.xdel(names.dead, id)) === 1) return 'dropped';
  complain(context, id, 'is not there any more');
  return undefined;
}

function complain({ json, print }: Context, id: string, error: string): void {
  print(json ? JSON.stringify({ id, error }) : `${id}  ${error}`);
}

/** @throws UsageError for a --set without a value */
function mend(fields: readonly string[], { set, unset }: Context['values']): string[] {
  const changes = ((set ?? []) as string[]).map((text) => {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (name === undefined || value === undefined) throw new UsageError('--set is name=value');
    return [name, value] as const;
  });
  const gone = new Set([...((unset ?? []) as string[]), ...changes.map(([name]) => name)]);
  const kept = fields.flatMap((name, index) =>
    index % 2 === 0 && !gone.has(name) ? [name, fields[index + 1] ?? ''] : [],
  );
  return [...kept, ...changes.flat()];
}

/** What this version would refuse it for; never what was written. */
function refusalOf(fields: readonly string[]): string | undefined {
  try {
    parseCommand(commandOfEntry(fields));
    return undefined;
  } catch (thrown) {
    const { code, message } = toGatewayError(thrown);
    return `${code}, ${message}`;
  }
}

/** Those that the ids name, or with --all every one. */
async function chosen(context: Context, ids: readonly string[]): Promise<Chosen> {
  const { redis, names, values } = context;
  const letters: Dead[] = [];
  if (values.all) {
    for await (const one of all(context)) if (isWanted(context, one)) letters.push(one);
    return { letters: letters.toReversed(), missing: 0 };
  }
  if (ids.length === 0) throw new UsageError('Give the ids that `dead list` shows, or --all');
  for (const id of ids) {
    const [entry] = await redis.xrange(names.dead, id, id);
    if (entry) letters.push(deadOf(...entry));
    else complain(context, id, 'is not there');
  }
  return { letters, missing: ids.length - letters.length };
}

function isWanted({ values }: Context, { letter }: Dead): boolean {
  return values.code === undefined || values.code === letter.code;
}

/** Newest first. */
async function* all({ redis, names }: Context): AsyncGenerator<Dead> {
  for (let end = '+'; ;) {
    const page = await redis.xrevrange(names.dead, end, '-', 'COUNT', PAGE);
    for (const [id, fields] of page) {
      yield deadOf(id, fields);
      end = `(${id}`;
    }
    if (page.length < PAGE) return;
  }
}

function deadOf(id: string, entry: string[]): Dead {
  const { fields = entry, letter = {} } = deadOfEntry(entry) ?? {};
  return { id, fields, letter };
}

function jsonOf({ id, fields, letter }: Dead) {
  return { id, ...letter, fields: objectOf(fields) };
}
