import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What signs the tokens of the tests; as long as production wants it. */
export const SECRET = 'a-secret-of-the-tests-that-is-long-enough';

/** Settings by their name in the environment; `undefined` takes a default of the tests away. */
export type NodeEnv = Record<string, string | undefined>;

/** A line of the node's log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** How a process ended: one of the two is set. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const program = fileURLToPath(new URL('../dist/main.js', import.meta.url));

const child = new URL('child.mjs', import.meta.url).href;
const tracing = new URL('../dist/start-tracing.js', import.meta.url).href;

const defaults: NodeEnv = {
  STREAMGATE_HOST: '127.0.0.1',
  STREAMGATE_HTTP_PORT: '0',
  STREAMGATE_MANAGEMENT_PORT: '0',
  STREAMGATE_JWT_SECRET: SECRET,
};

/** The built program as a process of its own, in production mode, on free ports of loopback. */
export class TestNode {
  readonly exit: Promise<Ending>;
  readonly lines: LogLine[] = [];
  /** Everything that it wrote, standard error included. */
  output = '';
  private readonly child: ChildProcess;
  private readonly watchers = new Set<() => void>();
  private addresses: { url: string; managementUrl: string } | undefined;

  constructor(env: NodeEnv) {
    if (!existsSync(program)) throw new Error('build the gateway first: npm run build');
    const imports = [child, tracing].flatMap((module) => ['--import', module]);
    this.child = spawn(process.execPath, [...imports, program], {
      env: { PATH: process.env['PATH'], ...defaults, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.exit = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        resolve({ code, signal });
        this.wake();
      });
    });
    this.child.stderr!.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    let rest = '';
    this.child.stdout!.on('data', (chunk: Buffer) => {
      this.output += chunk.toString();
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop()!;
      for (const line of lines) if (line.startsWith('{')) this.lines.push(JSON.parse(line));
      this.wake();
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** `http://…` of clients and REST; only after `listening`. */
  get url(): string {
    return this.addresses!.url;
  }

  /** `http://…` of the management port; only after `listening`. */
  get managementUrl(): string {
    return this.addresses!.managementUrl;
  }

  /** @throws Error with all that it wrote, when it ends before it listens */
  async listening(): Promise<this> {
    const line = await this.logged((each) => each.msg === 'listening');
    this.addresses = line as LogLine & { url: string; managementUrl: string };
    return this;
  }

  /** The first line that fits, waited for. @throws Error when the process ends without it */
  async logged(fits: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const line = this.lines.find(fits);
      if (line) return line;
      if (!this.running)
        throw new Error(`the node ended (${this.child.exitCode}):\n${this.output}`);
      await new Promise<void>((resolve) => this.watchers.add(resolve));
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Asks it to end, then to hurry, and waits until it has; one that does not end is killed. */
  async stop(): Promise<Ending> {
    this.resume();
    this.signal('SIGTERM');
    const late = setTimeout(() => this.signal('SIGKILL'), 10_000);
    // Two signals at once would be one.
    const stopping = this.logged(({ msg }) => msg === 'stopping').then(
      () => this.signal('SIGTERM'),
      () => undefined,
    );
    const ending = await this.exit;
    clearTimeout(late);
    await stopping;
    return ending;
  }

  /** As `kill -9`. */
  kill(): Promise<Ending> {
    this.signal('SIGKILL');
    return this.exit;
  }

  /** Connections stay open and nothing answers. */
  pause(): void {
    this.signal('SIGSTOP');
  }

  resume(): void {
    this.signal('SIGCONT');
  }

  /**
   * One value of `/metrics`, 0 when it is not there.
   * @param series as scraped, labels included: `name{label="value"}`
   */
  async metric(series: string): Promise<number> {
    const text = await (await fetch(`${this.managementUrl}/metrics`)).text();
    const lines = text.split('\n');
    const wanted = lines.filter((line) => line.startsWith(`${series} `));
    const all = wanted.length > 0 ? wanted : lines.filter((line) => line.startsWith(`${series}{`));
    return all.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  private wake(): void {
    for (const watcher of this.watchers) watcher();
    this.watchers.clear();
  }
}

/** Starts a node and waits until it listens. */
export function startNode(env: NodeEnv = {}): Promise<TestNode> {
  return new TestNode(env).listening();
}

/** Starts so many nodes at once. When one fails the others are ended. */
export async function startNodes(count: number, env: NodeEnv = {}): Promise<TestNode[]> {
  const started = Array.from({ length: count }, () => new TestNode(env));
  try {
    return await Promise.all(started.map((node) => node.listening()));
  } catch (error) {
    await Promise.all(started.map((node) => node.kill()));
    throw error;
  }
}
