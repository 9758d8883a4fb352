import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Order, Start, Told, Write } from './node.ts';

const program = fileURLToPath(new URL('node.ts', import.meta.url));

/** A node in a process of its own (`node.ts`). */
export class NodeProcess {
  /** `http://127.0.0.1:<port>` */
  url = '';
  /** Of its process, as what it prints begins. */
  get name(): string {
    return String(this.child.pid);
  }
  alive = true;
  stopped = false;
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.child = child;
    child.once('exit', () => {
      this.alive = false;
    });
  }

  /** @param onTold hears what it says of its writing, also what it said before it was killed */
  static async start(start: Start, onTold: (told: Told) => void = () => undefined) {
    const child = fork(program, [JSON.stringify(start)], { execArgv: [] });
    const killIt = () => child.kill('SIGKILL');
    process.once('exit', killIt);
    child.once('exit', () => process.off('exit', killIt));
    const node = new NodeProcess(child);
    child.on('message', onTold);
    node.url = (await node.hears('listening')).listening;
    return node;
  }

  write(write: Write): void {
    this.send({ write });
  }

  /** Resolves when it is known of every event whether it was accepted. */
  async stopWriting(): Promise<void> {
    this.send({ stopWriting: true });
    await this.hears('stopped');
  }

  async emit(emit: { rooms: string[]; count: number; bytes: number }): Promise<void> {
    this.send({ emit });
    await this.hears('emitted');
  }

  async kill(): Promise<void> {
    if (!this.alive) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }

  /** SIGSTOP: its connections stay open and it does nothing. */
  stop(): void {
    this.stopped = true;
    this.child.kill('SIGSTOP');
  }

  continue(): void {
    this.stopped = false;
    this.child.kill('SIGCONT');
  }

  private send(order: Order): void {
    this.child.send(order);
  }

  private hears<K extends string>(what: K): Promise<Extract<Told, Record<K, unknown>>> {
    return new Promise((resolve, reject) => {
      const exited = () => reject(new Error(`a node ended before it said "${what}"`));
      this.child.once('exit', exited);
      const listen = (told: Told) => {
        if (!(what in told)) return;
        this.child.off('message', listen);
        this.child.off('exit', exited);
        resolve(told as Extract<Told, Record<K, unknown>>);
      };
      this.child.on('message', listen);
    });
  }
}
