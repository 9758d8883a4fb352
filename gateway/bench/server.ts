import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ProbeRequest, Reading } from './probe.js';

const probe = new URL('probe.js', import.meta.url);

/** A gateway that is measured: a process of its own with the probe in it. */
export class Server {
  private constructor(
    private readonly child: ChildProcess,
    /** `http://host:port`, as it says them: where clients connect, and where it is scraped. */
    readonly addresses: { readonly url: string; readonly managementUrl?: string },
  ) {}

  get url(): string {
    return this.addresses.url;
  }

  /**
   * Starts a program that says `{"msg": "listening", "url": …}` when it is ready.
   * @param env added to `PATH`; nothing else of this process' environment is passed on
   * @param imports modules that are loaded before it
   * @throws when it ends before it listens, with what it said
   */
  static async start(
    program: URL,
    env: Record<string, string>,
    imports: readonly URL[] = [],
  ): Promise<Server> {
    const child = fork(fileURLToPath(program), {
      execArgv: ['--expose-gc', ...[probe, ...imports].flatMap(({ href }) => ['--import', href])],
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    const killIt = () => child.kill('SIGKILL');
    process.once('exit', killIt);
    child.once('exit', () => process.off('exit', killIt));
    return new Server(child, await listening(child, program));
  }

  /** @param options `collect`: run the garbage collector first; `watch`: see `longestTurnMicros` */
  async read(options: ProbeRequest = { collect: false }): Promise<Reading> {
    this.child.send(options);
    const [reading] = (await once(this.child, 'message')) as [Reading];
    return reading;
  }

  /** Resolves when the process has all but stopped working: what came before is done with. */
  async quiet(): Promise<void> {
    for (let busy = Infinity, before = 0; busy > 2000;) {
      await setTimeout(50);
      const { cpuMicros } = await this.read();
      busy = cpuMicros - before;
      before = cpuMicros;
    }
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }
}

async function listening(child: ChildProcess, program: URL): Promise<Server['addresses']> {
  const said: string[] = [];
  const lines = createInterface({ input: child.stdout! });
  const addresses = new Promise<Server['addresses']>((resolve) => {
    // Goes on reading for good: a full pipe would stop a server that logs.
    lines.on('line', (line) => {
      if (said.length < 50) said.push(line);
      if (line.includes('"listening"')) resolve(JSON.parse(line) as Server['addresses']);
    });
  });
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${program.pathname} ended before it listened:\n${said.join('\n')}`);
  });
  ended.catch(() => undefined);
  return Promise.race([addresses, ended]);
}
