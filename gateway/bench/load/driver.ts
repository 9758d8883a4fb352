import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Answer, Operations, Request } from './load.js';

type Result<O extends keyof Operations> = Awaited<ReturnType<Operations[O]>>;

/** The clients, in a process of their own, so that their cost is never taken for the server's. */
export class Load {
  private readonly child: ChildProcess = fork(fileURLToPath(new URL('load.js', import.meta.url)));

  constructor() {
    const killIt = () => this.child.kill('SIGKILL');
    process.once('exit', killIt);
    this.child.once('exit', () => process.off('exit', killIt));
  }

  /**
   * Does one operation.
   * @returns its value and how long it took, in milliseconds
   * @throws what went wrong in the load process
   */
  async run<O extends keyof Operations>(
    operation: O,
    argument: Parameters<Operations[O]>[0],
  ): Promise<{ value: Result<O>; millis: number; cpuMicros: number }> {
    this.child.send({ operation, argument } satisfies Request);
    const [answer] = (await once(this.child, 'message')) as [Answer];
    if (answer.error !== undefined) throw new Error(`${operation}: ${answer.error}`);
    const { value, millis, cpuMicros } = answer;
    return { value: value as Result<O>, millis, cpuMicros };
  }

  async stop(): Promise<void> {
    this.child.disconnect();
    await once(this.child, 'exit');
  }
}
