import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { freePort } from './redis.ts';
import { tie } from './tied.ts';

/** A real PostgreSQL of the test's own, on a free port of loopback, with its data in a folder. */
export interface TestPostgres {
  /** `postgres://streamgate:secret@127.0.0.1:<port>/postgres` */
  readonly url: string;
  readonly port: number;
  /** Of the process that runs now; a restart changes it. */
  readonly pid: number;
  /** Makes a database of its own for a test and says its URL. */
  database(name: string): Promise<string>;
  /** Ends it for good and removes its folder. */
  stop(): Promise<void>;
  /** Ends it as a crash does, with all connections, and leaves the data; `restart` brings it back. */
  kill(): Promise<void>;
  /** Ends it (unless killed already) and starts it again on the same port with the same data. */
  restart(): Promise<void>;
}

export interface TestPostgresOptions {
  /** Waits for the disk at each commit, as in production; tests need not, benches do. */
  fsync?: boolean;
  /** Further settings, such as `['max_connections=20']`. */
  settings?: string[];
}

const USER = 'streamgate';
export const POSTGRES_PASSWORD = 'secret';

/** Starts a server as whoever runs the test, or as another user when that is root. */
export async function startPostgres(options: TestPostgresOptions = {}): Promise<TestPostgres> {
  const dir = await mkdtemp(join(tmpdir(), 'streamgate-postgres-'));
  const owner = unprivileged();
  const password = join(dir, 'password');
  await writeFile(password, POSTGRES_PASSWORD);
  if (owner) for (const path of [dir, password]) await chown(path, owner.uid, owner.gid);
  execFileSync(
    join(programs(), 'initdb'),
    [
      ...['--pgdata', join(dir, 'data'), '--username', USER, '--encoding', 'UTF8', '--locale', 'C'],
      ...['--auth', 'scram-sha-256', '--pwfile', password, '--no-sync'],
    ],
    { ...owner, cwd: '/', stdio: ['ignore', 'ignore', 'inherit'] },
  );
  for (let attempt = 1; ; attempt++)
    try {
      return await startOn(await freePort(), dir, options);
    } catch (error) {
      // Somebody else was given the port before the server took it.
      if (!String(error).includes('Address already in use') || attempt === 5) throw error;
    }
}

async function startOn(
  port: number,
  dir: string,
  { fsync = false, settings = [] }: TestPostgresOptions,
): Promise<TestPostgres> {
  const args = [
    `listen_addresses=127.0.0.1`,
    `port=${port}`,
    'unix_socket_directories=',
    `fsync=${fsync}`,
    'shared_buffers=64MB',
    ...settings,
  ].flatMap((setting) => ['-c', setting]);
  const url = `postgres://${USER}:${POSTGRES_PASSWORD}@127.0.0.1:${port}/postgres`;
  let child = await launch(['-D', join(dir, 'data'), ...args], url);
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  };
  return {
    url,
    port,
    get pid() {
      return child.pid ?? 0;
    },
    async database(name) {
      await ask(url, `create database ${name}`);
      return url.replace(/postgres$/, name);
    },
    // SIGQUIT is PostgreSQL's own crash: no checkpoint, and no process is left behind.
    kill: () => end('SIGQUIT'),
    async stop() {
      await end('SIGQUIT');
      await rm(dir, { recursive: true, force: true });
    },
    async restart() {
      await end('SIGINT');
      child = await launch(['-D', join(dir, 'data'), ...args], url);
    },
  };
}

async function launch(args: string[], url: string): Promise<ChildProcess> {
  const child = spawn(join(programs(), 'postgres'), args, {
    ...unprivileged(),
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4000);
  });
  tie(child, 'QUIT');
  const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error));
  const exited = once(child, 'exit').then(() =>
    Promise.reject(new Error(`postgres ended at start:\n${output}`)),
  );
  exited.catch(() => undefined);
  failed.catch(() => undefined);
  await Promise.race([failed, exited, answered(url)]);
  return child;
}

async function answered(url: string): Promise<void> {
  for (;;)
    try {
      return await ask(url, 'select 1');
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
}

async function ask(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  await client.query(statement).finally(() => client.end());
}

/** PostgreSQL does not run as root. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** Folder of the newest version's programs where Debian keeps them, else that on PATH. */
function programs(): string {
  const found = globSync('/usr/lib/postgresql/*/bin/postgres');
  const version = (path: string) => Number(path.split('/')[4]);
  const newest = found.sort((a, b) => version(a) - version(b)).at(-1);
  return newest ? dirname(newest) : '';
}
