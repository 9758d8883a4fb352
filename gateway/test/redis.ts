import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tie } from './tied.ts';

/** A real redis-server of the test's own, on a free port of loopback, with its data in a folder. */
export interface TestRedis {
  /** `redis://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  /** Of the process that runs now; a restart changes it. */
  readonly pid: number;
  readonly dir: string;
  /** Kills it for good and removes its folder. */
  stop(): Promise<void>;
  /** Kills it as `kill -9` does and leaves the data; `restart` brings it back. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** Ends it (unless killed already) and starts it again on the same port with the same data. */
  restart(options?: { keepData?: boolean }): Promise<void>;
}

export interface TestRedisOptions {
  port?: number;
  /** Further arguments of redis-server, such as `['--requirepass', 'x']`. */
  args?: string[];
  /** Keeps its data here and does not remove the folder; default: a temporary folder. */
  dir?: string;
}

/** Starts redis-server with its append-only file on, so that a restart finds the data again. */
export async function startRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'streamgate-redis-')));
  for (let attempt = 1; ; attempt++)
    try {
      return await startRedisOn(options.port ?? (await freePort()), dir, options);
    } catch (error) {
      // Somebody else was given the port before the server took it.
      const isTaken = String(error).includes('Address already in use');
      if (!isTaken || options.port !== undefined || attempt === 5) throw error;
    }
}

async function startRedisOn(
  port: number,
  dir: string,
  options: TestRedisOptions,
): Promise<TestRedis> {
  const args = [
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', ''],
    ...['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction'],
    ...(options.args ?? []),
  ];
  let child = await launch(args, port);
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    dir,
    get pid() {
      return child.pid ?? 0;
    },
    async kill() {
      await end(child);
    },
    async stop() {
      await end(child);
      if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
    },
    pause() {
      child.kill('SIGSTOP');
    },
    resume() {
      child.kill('SIGCONT');
    },
    async restart({ keepData = true } = {}) {
      await end(child);
      if (!keepData) await rm(join(dir, 'appendonlydir'), { recursive: true, force: true });
      child = await launch(args, port);
    },
  };
}

/** A primary, one replica of it and three sentinels that watch them as `name`. */
export interface TestSentinel {
  /** `redis+sentinel://…/<name>` */
  readonly url: string;
  readonly name: string;
  readonly primary: TestRedis;
  readonly replica: TestRedis;
  stop(): Promise<void>;
}

/** Starts a Sentinel set-up that fails over one second after the primary is gone. */
export async function startSentinel(name = 'streamgate-test'): Promise<TestSentinel> {
  const primary = await startRedis();
  const replica = await startRedis({
    args: ['--replicaof', `127.0.0.1 ${primary.port}`, '--repl-diskless-sync-delay', '0'],
  });
  await until(replica.port, 'INFO replication', (reply) => reply.includes('master_link_status:up'));
  const dir = await mkdtemp(join(tmpdir(), 'streamgate-sentinel-'));
  const sentinels: { port: number; child: ChildProcess }[] = [];
  for (let index = 0; index < 3; index++) {
    const port = await freePort();
    const file = join(dir, `${index}.conf`);
    await writeFile(
      file,
      [
        `port ${port}`,
        'bind 127.0.0.1',
        `dir ${dir}`,
        `sentinel monitor ${name} 127.0.0.1 ${primary.port} 2`,
        `sentinel down-after-milliseconds ${name} 1000`,
        `sentinel failover-timeout ${name} 5000`,
      ].join('\n'),
    );
    sentinels.push({ port, child: await launch([file, '--sentinel'], port) });
  }
  // Without knowing the replica and each other they could not fail over.
  for (const { port } of sentinels)
    await until(
      port,
      `SENTINEL MASTER ${name}`,
      (reply) =>
        /num-slaves\r\n\$1\r\n1/.test(reply) && /num-other-sentinels\r\n\$1\r\n2/.test(reply),
    );
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${name}`,
    name,
    primary,
    replica,
    async stop() {
      for (const { child } of sentinels) await end(child);
      await primary.stop();
      await replica.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A port that nobody listens on; the kernel does not give it out again soon. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function launch(args: string[], port: number): Promise<ChildProcess> {
  const child = tie(spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] }));
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4000);
  });
  const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error));
  const exited = once(child, 'exit').then(() =>
    Promise.reject(new Error(`redis-server ended at start:\n${output}`)),
  );
  // Any first byte will do: with a password or TLS the answer is an error, but it listens.
  const answered = args.includes('--tls-port') ? listening(port) : until(port, 'PING', Boolean);
  await Promise.race([failed, exited, answered]);
  exited.catch(() => undefined);
  failed.catch(() => undefined);
  return child;
}

/** A stopped process is ended too: SIGKILL does not wait to be continued. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const open = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (open) return;
    await pause();
  }
}

/** Sends one inline command on a connection of its own, again and again until the reply is right. */
async function until(port: number, command: string, right: (reply: string) => boolean) {
  for (;;) {
    const reply = await ask(port, command);
    if (!reply.startsWith('-LOADING') && right(reply)) return;
    await pause();
  }
}

/** A PING behind the command tells where its reply ends (QUIT does not close a Sentinel's). */
function ask(port: number, command: string): Promise<string> {
  return new Promise((resolve) => {
    let reply = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(`${command}\r\nPING\r\n`));
    socket.on('data', (chunk) => {
      reply += chunk.toString();
      if (/(^|\n)(\+PONG|-[^\n]*)\r\n$/.test(reply)) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(reply));
  });
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 25));
}
