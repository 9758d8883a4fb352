import { deadOfEntry, fieldOf } from '@streamgate/protocol/stream';
import { type CliCommand, type Context, partitionStreams, UsageError } from './command.js';
import { table } from './table.js';

const BLOCK_MS = 1000;

export const tail: CliCommand = {
  usage: 'tail [commands | dead | events]',
  summary: 'print what is written to a stream, as it comes',
  help: `
commands (the default) are those of all partitions, dead are those that could not be executed, events
are what clients said and did, when STREAMGATE_EVENTS_OUT asks for them. Ctrl-C ends it.

It reads on behind the last entry that it printed. Commands leave their stream when they are executed:
those that are gone before it reads again are not printed, so under load it shows a sample.

  --from <id>    begin behind this entry instead of now; 0 = with all that is there
  --count <n>    end after so many`,
  options: { from: { type: 'string' }, count: { type: 'string' } },
  async run(context) {
    const { redis, args, values, signal } = context;
    const streams = await streamsOf(context, args[0] ?? 'commands');
    const last = await Promise.all(
      streams.map(async (stream) => (values.from as string) ?? (await newest(context, stream))),
    );
    let left = values.count === undefined ? Infinity : Number(values.count);
    if (!(left > 0)) throw new UsageError('--count is a number');
    while (left > 0 && !signal.aborted) {
      const answer = await redis.xread(
        'COUNT',
        100,
        'BLOCK',
        BLOCK_MS,
        'STREAMS',
        ...streams,
        ...last,
      );
      for (const [stream, entries] of answer ?? [])
        for (const [id, fields] of entries.slice(0, left)) {
          left -= 1;
          last[streams.indexOf(stream)] = id;
          show(context, stream, id, fields);
        }
    }
    return 0;
  },
};

async function streamsOf(context: Context, which: string): Promise<string[]> {
  if (which === 'commands') return partitionStreams(context);
  if (which === 'dead' || which === 'events') return [context.names[which]];
  throw new UsageError('Give commands, dead or events');
}

async function newest({ redis }: Context, stream: string): Promise<string> {
  const [entry] = await redis.xrevrange(stream, '+', '-', 'COUNT', 1);
  return entry?.[0] ?? '0';
}

function show({ json, print }: Context, stream: string, id: string, fields: string[]): void {
  const time = new Date(Number(id.split('-')[0])).toISOString();
  if (json) {
    print(JSON.stringify({ stream, entry: id, time, fields: objectOf(fields) }));
    return;
  }
  const dead = deadOfEntry(fields);
  const text = (dead?.fields ?? fields).reduce(
    (line, part, index) => line + (index % 2 === 0 ? `  ${part}` : `=${part}`),
    dead?.letter.code ?? '',
  );
  const what = fieldOf(fields, 'action') ?? fieldOf(fields, 'event') ?? '';
  print(table([time, stream, id, what, text.trim()], [])[0] ?? '');
}

/** Fields and values in turn -> an object; of a field given twice the last. */
export function objectOf(fields: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    fields.flatMap((name, index) => (index % 2 === 0 ? [[name, fields[index + 1] ?? '']] : [])),
  );
}
