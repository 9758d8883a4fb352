import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { tie } from '../../gateway/test/tied.ts';

export interface BadOptions {
  readonly urls: readonly string[];
  readonly redisUrl: string;
  readonly secret: string;
  readonly run: string;
  /** Of each kind. */
  readonly each: number;
}

/** What became of them. */
export type BadFacts = Readonly<Record<string, number>>;

/** People who read nothing of what they are sent, and people who send as fast as they can; a process of their own. */
export class BadNeighbours {
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.child = child;
  }

  static start(options: BadOptions): BadNeighbours {
    const program = join(import.meta.dirname, 'bad-neighbours-process.ts');
    const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] as const;
    const child = tie(fork(program, { stdio: [...stdio] }));
    child.send(options);
    return new BadNeighbours(child);
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** @returns what became of them */
  async end(): Promise<BadFacts> {
    this.child.send('end');
    const [facts] = (await once(this.child, 'message')) as [BadFacts];
    this.child.kill('SIGKILL');
    return facts;
  }
}
