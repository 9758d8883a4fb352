import type { streamNames } from '@streamgate/protocol/stream';
import type { Redis } from 'ioredis';
import type { ParseArgsConfig } from 'node:util';

/** What a command of the command line is given. */
export interface Context {
  /** Connected; refuses at once when Redis goes. */
  readonly redis: Redis;
  /** `redis://…` that it is connected to. */
  readonly url: string;
  readonly prefix: string;
  readonly names: ReturnType<typeof streamNames>;
  /** One JSON value a line instead of text for people. */
  readonly json: boolean;
  /** Writes a line. */
  readonly print: (line: string) => void;
  /** What stands behind the name of the command. */
  readonly args: readonly string[];
  readonly values: Readonly<Record<string, string | boolean | string[] | undefined>>;
  /** Ctrl-C. */
  readonly signal: AbortSignal;
}

export interface CliCommand {
  /** As `--help` shows it, without the program's name. */
  readonly usage: string;
  readonly summary: string;
  readonly help: string;
  readonly options: NonNullable<ParseArgsConfig['options']>;
  /** Returns the exit status. @throws UsageError, EmitterError */
  run(context: Context): Promise<number>;
}

/** The command line makes no sense: exit status 2. */
export class UsageError extends Error {}

/** The streams of all partitions, also of those that a smaller number has left behind. */
export async function partitionStreams({ redis, names }: Context): Promise<string[]> {
  const highest = 1024;
  const count = Math.max(1, Number(await redis.get(names.partitions)));
  const all = Array.from({ length: highest }, (_, index) => names.partition(index));
  const pipeline = redis.pipeline();
  for (const stream of all) pipeline.exists(stream);
  const found = (await pipeline.exec()) ?? [];
  return all.filter((_, index) => index < count || found[index]?.[1] === 1);
}
