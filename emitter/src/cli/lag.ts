import { COMMAND_GROUP } from '@streamgate/protocol/stream';
import type { CliCommand, Context } from './command.js';
import { partitionStreams } from './command.js';
import { table } from './table.js';

interface Lag {
  readonly stream: string;
  /** Entries that are there: those that wait, and those done that are not trimmed yet. */
  readonly length: number;
  /** Entries that no node has read yet; null when Redis cannot tell. */
  readonly unread: number | null;
  /** Entries that were read and are not done. */
  readonly pending: number;
  /** Age of the oldest that is not done. */
  readonly oldestSeconds: number;
}

export const lag: CliCommand = {
  usage: 'lag',
  summary: 'how far behind the gateway is, by partition',
  help: `
UNREAD are entries that no node has read, PENDING those that one is executing, OLDEST is the age of the
first that is not done. A partition whose OLDEST grows is not being executed.`,
  options: {},
  async run(context) {
    const streams = await partitionStreams(context);
    const lags = await Promise.all(streams.map((stream) => lagOf(context, stream)));
    if (context.json) for (const one of lags) context.print(JSON.stringify(one));
    else
      for (const line of table(
        ['STREAM', 'ENTRIES', 'UNREAD', 'PENDING', 'OLDEST'],
        lags.map(({ stream, length, unread, pending, oldestSeconds }) => [
          ...[stream, String(length), String(unread ?? 'unknown'), String(pending)],
          `${oldestSeconds.toFixed(1)} s`,
        ]),
      ))
        context.print(line);
    return 0;
  },
};

async function lagOf({ redis }: Context, stream: string): Promise<Lag> {
  const length = await redis.xlen(stream);
  const [seconds] = await redis.time();
  const group = (await redis.exists(stream)) ? await groupOf(redis, stream) : undefined;
  const delivered = String(group?.['last-delivered-id'] ?? '0-0');
  const [first] = await redis.xrange(stream, `(${delivered}`, '+', 'COUNT', 1);
  const pending = Number(group?.pending ?? 0);
  const [, oldestPending] = pending > 0 ? await redis.xpending(stream, COMMAND_GROUP) : [];
  const oldest = (oldestPending as string | undefined) ?? first?.[0];
  const age = oldest === undefined ? 0 : Number(seconds) - Number(oldest.split('-')[0]) / 1000;
  const unread = group ? (group.lag as number | null) : length;
  return { stream, length, unread, pending, oldestSeconds: Math.max(0, age) };
}

async function groupOf(redis: Context['redis'], stream: string) {
  const groups = (await redis.xinfo('GROUPS', stream)) as unknown[][];
  return groups
    .map((group) => Object.fromEntries(pairs(group)) as Record<string, string | number | null>)
    .find(({ name }) => name === COMMAND_GROUP);
}

function pairs(list: readonly unknown[]): [string, unknown][] {
  return list.flatMap((name, index) =>
    index % 2 === 0 ? [[String(name), list[index + 1]] as [string, unknown]] : [],
  );
}
