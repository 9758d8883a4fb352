import { parseArgs } from 'node:util';
import { StoreConfigError } from './chat/store/chat-store.js';
import { createEngine } from './chat/store/create-chat-store.js';
import { faultOf } from './chat/store/faults.js';
import { migrate, pending } from './chat/store/migrate.js';
import { ConfigError, readDatabaseConfig } from './config.js';

const HELP = `Brings the database of chat up to date, as every node does when it starts.

  npm run migrate [-- --check]      node gateway/dist/migrate.js [--check]

  --check  only say what is to be done; the exit status is 1 when there is something
  --help   this text

The database is that of STREAMGATE_DATABASE_URL, or the folder STREAMGATE_DATA_DIR (of the node that
listens on STREAMGATE_HTTP_PORT; it must not run). Several may run at once: one works, the others wait.
`;

/**
 * The command: for those who want the schema to change before the first new node starts.
 * @returns exit status
 */
async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { check: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const config = readDatabaseConfig();
  const engine = createEngine(config);
  const steps = await engine.withMigrator((db) => (values.check ? pending(db) : migrate(db)));
  const done = values.check ? 'To be applied' : 'Applied';
  for (const { number, name } of steps) process.stdout.write(`${done}: ${number} ${name}\n`);
  if (steps.length === 0) {
    const where =
      config.databaseUrl === undefined ? `in ${config.dataDir ?? 'memory'}` : 'of PostgreSQL';
    process.stdout.write(`The schema ${where} is up to date.\n`);
  }
  return values.check && steps.length > 0 ? 1 : 0;
}

/** Nothing of what the driver says, which may quote the URL. */
function reasonOf(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const isUsage =
    code.startsWith('ERR_PARSE_ARGS') ||
    error instanceof ConfigError ||
    error instanceof StoreConfigError;
  return isUsage ? message : `The database cannot be used: ${faultOf(error).reason}.`;
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${reasonOf(error)}\n`);
  process.exitCode = 2;
}
