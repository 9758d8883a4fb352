import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Order, Publish, Reading, Register, Start, Told } from './node.ts';

const program = fileURLToPath(new URL('node.ts', import.meta.url));

const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** A node that is measured (`node.ts`). */
export class BenchNode {
  readonly url: URL;
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.child = child;
    this.url = new URL(url);
  }

  static async start(start: Start): Promise<BenchNode> {
    const child = fork(program, [JSON.stringify(start)], { execArgv: ['--expose-gc'] });
    children.add(child);
    child.once('exit', () => children.delete(child));
    return new BenchNode(child, (await hears(child, 'url')).url);
  }

  /** So many of what it publishes have come: it may go on. */
  heard(heard: number): void {
    this.send({ heard });
  }

  /** Resolves when Redis has taken all. */
  async publish(publish: Publish): Promise<void> {
    this.send({ publish });
    await hears(this.child, 'published');
  }

  /** Resolves when Redis has all of these sessions, which have no connections. */
  async register(register: Register): Promise<void> {
    this.send({ register });
    await hears(this.child, 'registered');
  }

  /** @param collect run the garbage collector first */
  async read(collect = false): Promise<Reading> {
    this.send({ read: true, collect });
    return (await hears(this.child, 'reading')).reading;
  }

  /** Resolves when the process has all but stopped working: what came before is done with. */
  async quiet(): Promise<void> {
    for (let busy = Infinity, before = 0; busy > 2500;) {
      await setTimeout(50);
      const { cpuMicros } = await this.read();
      busy = cpuMicros - before;
      before = cpuMicros;
    }
  }

  async stop(): Promise<void> {
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }

  private send(order: Order): void {
    this.child.send(order);
  }
}

function hears<K extends string>(
  child: ChildProcess,
  what: K,
): Promise<Extract<Told, Record<K, unknown>>> {
  return new Promise((resolve, reject) => {
    const exited = () => reject(new Error(`a node ended before it said "${what}"`));
    child.once('exit', exited);
    const listen = (told: Told) => {
      if (!(what in told)) return;
      child.off('message', listen);
      child.off('exit', exited);
      resolve(told as Extract<Told, Record<K, unknown>>);
    };
    child.on('message', listen);
  });
}
