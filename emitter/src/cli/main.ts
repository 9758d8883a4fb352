/** `streamgate`: looks at the streams of a gateway and writes to them. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { streamNames } from '@streamgate/protocol/stream';
import { Redis } from 'ioredis';
import { EmitterError } from '../emitter-error.js';
import { type CliCommand, UsageError } from './command.js';
import { dead } from './dead.js';
import { emit } from './emit.js';
import { lag } from './lag.js';
import { tail } from './tail.js';

const COMMANDS: Readonly<Record<string, CliCommand>> = { emit, tail, dead, lag };

const GLOBAL = {
  redis: { type: 'string' },
  prefix: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsConfig['options'];

const GLOBAL_HELP = `
Everywhere:
  --redis <url>     redis:// or rediss://; $STREAMGATE_REDIS_URL, else redis://127.0.0.1:6379
  --prefix <name>   $STREAMGATE_REDIS_PREFIX, else streamgate
  --json            one JSON value a line
  -h, --help        this

Exit status: 0 done, 1 refused or failed, 2 the command line makes no sense.`;

const print = (line: string) => void process.stdout.write(`${line}\n`);
const complain = (line: string) => void process.stderr.write(`${line}\n`);

/** Whoever reads has closed the pipe (`| head`): there is nobody to go on for. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

function help(name: string | undefined): string {
  const command = COMMANDS[name ?? ''];
  if (command) return `streamgate ${command.usage}\n${command.help}\n${GLOBAL_HELP}`;
  const lines = Object.entries(COMMANDS).map(
    ([each, { summary }]) => `  ${each.padEnd(6)} ${summary}`,
  );
  return `streamgate <command> [options]\n\n${lines.join('\n')}\n\n\`streamgate <command> --help\` says more.\n${GLOBAL_HELP}`;
}

async function main(argv: readonly string[]): Promise<number> {
  const name = argv.find((word) => Object.hasOwn(COMMANDS, word));
  const command = COMMANDS[name ?? ''];
  const { values, positionals } = parsed(argv, command);
  if (values.help || positionals.length === 0) {
    print(help(name));
    return values.help ? 0 : 2;
  }
  if (!command || positionals[0] !== name)
    throw new UsageError(`There is no command ${positionals[0]}`);

  const url = String(
    values.redis ?? (process.env.STREAMGATE_REDIS_URL || 'redis://127.0.0.1:6379'),
  );
  const prefix = String(values.prefix ?? (process.env.STREAMGATE_REDIS_PREFIX || 'streamgate'));
  if (!/^rediss?:\/\//.test(url)) throw new UsageError('--redis is a redis:// or rediss:// URL');
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  let away: Error | undefined;
  redis.on('error', (error: Error) => (away = error));
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  try {
    await redis.connect();
    return await command.run({
      ...{ redis, url, prefix, names: streamNames(prefix), json: values.json === true, print },
      ...{ args: positionals.slice(1), values, signal: stop.signal },
    });
  } catch (error) {
    throw away ?? error;
  } finally {
    if (redis.status !== 'end') redis.disconnect();
  }
}

function parsed(argv: readonly string[], command: CliCommand | undefined) {
  try {
    const options: NonNullable<ParseArgsConfig['options']> = { ...command?.options, ...GLOBAL };
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    return {
      values: values as Record<string, string | boolean | string[] | undefined>,
      positionals,
    };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    complain(`${error.message}\nstreamgate --help says how.`);
    process.exitCode = 2;
  } else {
    complain(
      error instanceof EmitterError ? `${error.code}: ${error.message}` : (error as Error).message,
    );
    process.exitCode = 1;
  }
}
