import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { tie } from '../../gateway/test/tied.ts';
import type { WriterPlan, Written } from './writer.ts';

/** The process that writes what services write. */
export class Services {
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.child = child;
  }

  /** Starts it; it waits. @throws Error when it ends before it is ready */
  static async start(redisUrl: string): Promise<Services> {
    const program = join(import.meta.dirname, 'writer.ts');
    const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] as const;
    const services = new Services(tie(fork(program, [redisUrl], { stdio: [...stdio] })));
    await services.heard();
    return services;
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** @returns what it has written, at its end. @throws Error when it ends too early */
  async write(plan: WriterPlan): Promise<Written> {
    this.child.send(plan);
    return (await this.heard()) as Written;
  }

  /** What is not written yet is not. */
  end(): void {
    if (this.child.connected) this.child.send('end');
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }

  private heard(): Promise<unknown> {
    return Promise.race([
      once(this.child, 'message').then(([message]) => message as unknown),
      once(this.child, 'exit').then(() => Promise.reject(new Error('the writer has ended'))),
    ]);
  }
}
