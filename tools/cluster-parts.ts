import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tie } from '../gateway/test/tied.ts';
import { freePort } from './development.ts';

const here = import.meta.dirname;

/** A node that runs, and where. */
export interface RunningNode {
  /** From 1. */
  readonly number: number;
  readonly url: string;
  readonly managementUrl: string;
  readonly process: ChildProcess;
}

/** Where nodes write: here, or into an open file. */
type Output = 'inherit' | number;

type Addresses = Pick<RunningNode, 'url' | 'managementUrl'>;

/** The program that each node runs. */
export interface NodeProgram {
  /** Arguments of node. */
  readonly args: readonly string[];
  /** What tells it where to listen and where Redis is. */
  env(addresses: Addresses, redisUrl: string): NodeJS.ProcessEnv;
  /** Answers with success once it is ready. */
  readyUrl(addresses: Addresses): string;
}

export const GATEWAY: NodeProgram = {
  args: ['--import', built('start-tracing.js'), built('main.js')],
  env: ({ url, managementUrl }, redisUrl) => ({
    STREAMGATE_REDIS_URL: redisUrl,
    STREAMGATE_HTTP_PORT: new URL(url).port,
    STREAMGATE_MANAGEMENT_PORT: new URL(managementUrl).port,
  }),
  readyUrl: ({ managementUrl }) => `${managementUrl}/health/ready`,
};

export interface ClusterOptions {
  readonly output?: Output;
  /** Of nodes; 3 unless given. */
  readonly count?: number;
  readonly program?: NodeProgram;
}

/** Gateway nodes on a Redis of their own, or on that of STREAMGATE_REDIS_URL. */
export class Cluster {
  redisUrl = '';
  /** Ours; undefined when the Redis is somebody else's. */
  redis: ChildProcess | undefined;
  nodes: RunningNode[] = [];
  private readonly env: NodeJS.ProcessEnv;
  private readonly options: Required<ClusterOptions>;
  private readonly processes: ChildProcess[] = [];
  private dir: string | undefined;

  constructor(env: NodeJS.ProcessEnv, options: ClusterOptions = {}) {
    this.env = env;
    this.options = { output: 'inherit', count: 3, program: GATEWAY, ...options };
  }

  /** @throws Error when a node does not start; `stop` is the caller's, then as ever */
  async start(): Promise<void> {
    this.redisUrl = this.env.STREAMGATE_REDIS_URL || (await this.startRedis());
    const numbers = Array.from({ length: this.options.count }, (_, index) => index + 1);
    this.nodes = await Promise.all(numbers.map((number) => this.startNode(number)));
  }

  /** Starts a node that has ended, where it was. */
  async restart(number: number): Promise<void> {
    const { url, managementUrl } = this.nodes[number - 1]!;
    this.nodes[number - 1] = await this.startNode(number, { url, managementUrl });
  }

  /** Starts a node beside one that still runs, in its place from now on. @returns the old one */
  async replace(number: number): Promise<RunningNode> {
    const old = this.nodes[number - 1]!;
    this.nodes[number - 1] = await this.startNode(number);
    return old;
  }

  /** Kills our Redis as `kill -9` does. */
  async killRedis(): Promise<void> {
    if (!this.redis || !isRunning(this.redis)) throw new Error('Redis is not ours to kill');
    this.redis.kill('SIGKILL');
    await once(this.redis, 'exit');
  }

  /** Starts our Redis again where it was, with its data. */
  restartRedis(): void {
    this.redis = launchRedis(Number(new URL(this.redisUrl).port), this.dir!);
  }

  /** Nodes first, so that they take leave of Redis while it is there. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    const running = this.hurry(signal);
    await Promise.all(running.map((node) => once(node, 'exit')));
    if (this.redis && isRunning(this.redis) && this.redis.kill('SIGTERM'))
      await once(this.redis, 'exit');
    if (this.dir !== undefined) rmSync(this.dir, { recursive: true, force: true });
  }

  /** Processes of nodes, of those too that start or drain beside `nodes`. */
  get running(): ChildProcess[] {
    return this.processes.filter(isRunning);
  }

  /** A second signal has nodes that stop already stop at once. @returns those that still run */
  hurry(signal: NodeJS.Signals): ChildProcess[] {
    const { running } = this;
    for (const node of running) node.kill(signal);
    return running;
  }

  /** Starts redis-server with its data in a folder of its own; returns its URL. */
  private async startRedis(): Promise<string> {
    execFileSync(join(here, 'ensure'), ['redis-server'], { stdio: 'inherit' });
    // Where redis-cli looks.
    const port = await freePort(6379);
    this.dir = mkdtempSync(join(tmpdir(), 'streamgate-redis-'));
    this.redis = launchRedis(port, this.dir);
    return `redis://127.0.0.1:${port}`;
  }

  /** Starts a node, on free ports unless told where; resolves when it says that it is ready. */
  private async startNode(number: number, known?: Addresses): Promise<RunningNode> {
    const { program, output } = this.options;
    const [url = '', managementUrl = ''] = known
      ? [known.url, known.managementUrl]
      : [await freePort(2999 + number), await freePort(9463 + number)].map(
          (port) => `http://localhost:${port}`,
        );
    const node = spawn(process.execPath, program.args, {
      env: { ...this.env, ...program.env({ url, managementUrl }, this.redisUrl) },
      stdio: ['ignore', output, output],
      detached: true,
    });
    this.processes.push(tie(node));
    node.once('exit', (code, signal) => console.log(`node ${number} ended (${signal ?? code})`));
    while (!(await answers(program.readyUrl({ url, managementUrl })))) {
      if (!isRunning(node)) throw new Error(`node ${number} did not start`);
      await sleep(100);
    }
    return { number, url, managementUrl, process: node };
  }
}

function built(file: string): string {
  return join(here, '../gateway/dist', file);
}

function launchRedis(port: number, dir: string): ChildProcess {
  const options = { port, dir, bind: '127.0.0.1', appendonly: 'yes', loglevel: 'warning' };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  // Detached, so that a Ctrl-C does not take it away from under the nodes.
  return tie(
    spawn('redis-server', args, { stdio: ['ignore', 'ignore', 'inherit'], detached: true }),
  );
}

/** One line for each node, for people. */
export function linesOf(nodes: readonly RunningNode[]): string {
  return nodes
    .map(
      ({ number, url, managementUrl, process: { pid } }) =>
        `node ${number}   ${url}   management ${managementUrl}   pid ${pid}`,
    )
    .join('\n');
}

export function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/**
 * Runs what a Ctrl-C ends.
 * @param begin what goes wrong in it ends the rest
 * @param stop ends all; called once
 * @param hurry called at further signals
 */
export async function untilSignal(
  begin: () => Promise<void>,
  stop: (signal: NodeJS.Signals) => Promise<void>,
  hurry: (signal: NodeJS.Signals) => void,
): Promise<void> {
  let stopping: Promise<void> | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      if (stopping) hurry(signal);
      else stopping = stop(signal).then(() => process.exit(0));
    });
  try {
    await begin();
  } catch (error) {
    await (stopping ??= stop('SIGINT'));
    throw error;
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false; // it does not listen yet
  }
}
