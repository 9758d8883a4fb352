import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach } from 'vitest';

const root = join(import.meta.dirname, '..');

/** A started program, what it wrote so far, and a way to wait for more. */
export class Program {
  output = '';
  private readonly child: ChildProcess;

  constructor(command: string, args: string[], env: NodeJS.ProcessEnv) {
    // A process group of its own, for a Ctrl-C reaches all of it.
    this.child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      detached: true,
    });
    const more = (chunk: Buffer) => (this.output += chunk.toString());
    this.child.stdout?.on('data', more);
    this.child.stderr?.on('data', more);
  }

  async wrote(text: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = text.exec(this.output);
      if (found) return found;
      if (this.ended) throw new Error(`ended without ${text}: ${this.output}`);
      await once(this.child.stdout!, 'data');
    }
  }

  /** The tokens that `make run` and `make cluster` print, by the name of their variable. */
  async tokens(): Promise<Record<string, string>> {
    await this.wrote(/SERVICE=\S+\n/);
    const lines = [...this.output.matchAll(/^export (\w+)=(\S+)$/gm)];
    return Object.fromEntries(lines.map(([, name = '', token = '']) => [name, token]));
  }

  /** Nobody reads any more what it writes. */
  deafen(): void {
    this.child.stdout?.destroy();
    this.child.stderr?.destroy();
  }

  private get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** @returns its exit status, null when a signal ended it */
  async end(signal?: NodeJS.Signals): Promise<number | null> {
    if (signal && !this.ended) process.kill(-this.child.pid!, signal);
    if (!this.ended) await once(this.child, 'exit');
    return this.child.exitCode;
  }
}

const programs: Program[] = [];
/** Starts a program at the root of the repository. With the test it gets a Ctrl-C, so that it ends its own. */
export function run(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Program {
  const program = new Program(command, args, env);
  programs.push(program);
  return program;
}
afterEach(() => Promise.all(programs.splice(0).map((program) => program.end('SIGINT'))));
