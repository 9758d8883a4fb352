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

/** Three gateway nodes on a Redis of their own, or on that of STREAMGATE_REDIS_URL. */
export class Cluster {
  redisUrl = '';
  /** Ours; undefined when the Redis is somebody else's. */
  redis: ChildProcess | undefined;
  nodes: RunningNode[] = [];
  private readonly env: NodeJS.ProcessEnv;
  private readonly output: Output;
  private readonly processes: ChildProcess[] = [];
  private dir: string | undefined;

  constructor(env: NodeJS.ProcessEnv, output: Output = 'inherit') {
    this.env = env;
    this.output = output;
  }

  /** @throws Error when a node does not start; `stop` is the caller's, then as ever */
  async start(): Promise<void> {
    this.redisUrl = this.env.STREAMGATE_REDIS_URL || (await this.startRedis());
    this.nodes = await Promise.all([1, 2, 3].map((number) => this.startNode(number)));
  }

  /** Starts a node that has ended, where it was. */
  async restart(number: number): Promise<void> {
    const { url, managementUrl } = this.nodes[number - 1]!;
    this.nodes[number - 1] = await this.startNode(number, url, managementUrl);
  }

  /** Nodes first, so that they take leave of Redis while it is there. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    const running = this.hurry(signal);
    await Promise.all(running.map((node) => once(node, 'exit')));
    if (this.redis && isRunning(this.redis) && this.redis.kill('SIGTERM'))
      await once(this.redis, 'exit');
    if (this.dir !== undefined) rmSync(this.dir, { recursive: true, force: true });
  }

  /** A second signal has nodes that stop already stop at once. @returns those that still run */
  hurry(signal: NodeJS.Signals): ChildProcess[] {
    const running = this.processes.filter(isRunning);
    for (const node of running) node.kill(signal);
    return running;
  }

  /** Starts redis-server with its data in a folder of its own; returns its URL. */
  private async startRedis(): Promise<string> {
    execFileSync(join(here, 'ensure'), ['redis-server'], { stdio: 'inherit' });
    // Where redis-cli looks.
    const port = await freePort(6379);
    const dir = (this.dir = mkdtempSync(join(tmpdir(), 'streamgate-redis-')));
    const options = { port, dir, bind: '127.0.0.1', appendonly: 'yes', loglevel: 'warning' };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    // Detached, so that a Ctrl-C does not take it away from under the nodes.
    this.redis = tie(
      spawn('redis-server', args, { stdio: ['ignore', 'ignore', 'inherit'], detached: true }),
    );
    return `redis://127.0.0.1:${port}`;
  }

  /** Starts a node; resolves when it says that it is ready. */
  private async startNode(number: number, ...known: string[]): Promise<RunningNode> {
    const [url = '', managementUrl = ''] =
      known.length > 0
        ? known
        : [await freePort(2999 + number), await freePort(9463 + number)].map(
            (port) => `http://localhost:${port}`,
          );
    const program = ['start-tracing.js', 'main.js'].map((file) =>
      join(here, '../gateway/dist', file),
    );
    const node = spawn(process.execPath, ['--import', ...program], {
      env: {
        ...this.env,
        STREAMGATE_REDIS_URL: this.redisUrl,
        STREAMGATE_HTTP_PORT: new URL(url).port,
        STREAMGATE_MANAGEMENT_PORT: new URL(managementUrl).port,
      },
      stdio: ['ignore', this.output, this.output],
      detached: true,
    });
    this.processes.push(tie(node));
    node.once('exit', (code, signal) => console.log(`node ${number} ended (${signal ?? code})`));
    while (!(await isReady(managementUrl))) {
      if (!isRunning(node)) throw new Error(`node ${number} did not start`);
      await sleep(100);
    }
    return { number, url, managementUrl, process: node };
  }
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

async function isReady(managementUrl: string): Promise<boolean> {
  try {
    return (await fetch(`${managementUrl}/health/ready`)).ok;
  } catch {
    return false; // it does not listen yet
  }
}
