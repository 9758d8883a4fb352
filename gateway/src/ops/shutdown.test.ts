import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';

/** Lets the child run the sources: they name each other as `.js`. */
const RUN_SOURCES = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  registerHooks({
    resolve(name, context, next) {
      const ours = name.endsWith('.js') && context.parentURL?.endsWith('.ts');
      return next(ours ? name.slice(0, -3) + '.ts' : name, context);
    },
  });
`)}`;

/** A program whose drain ends when hurried, or by itself within \`drainMs\`; it says what is done to it. */
const PROGRAM = `
  const { installSignals } = await import(process.env.SHUTDOWN);
  const { drainMs, mode, close, fault } = JSON.parse(process.env.BEHAVIOUR);
  const say = (text) => console.log('SAYS ' + text);
  const drained = Promise.withResolvers();
  const open = setInterval(() => {}, 1000);
  installSignals({
    mode,
    drain: {
      leave(options = {}) {
        say('drain ' + (options.seconds ?? 'default'));
        if (options.seconds === 0) drained.resolve();
        else if (drainMs !== undefined) setTimeout(drained.resolve, drainMs);
      },
      whenDrained: () => drained.promise,
    },
    hurry() {
      say('hurry');
      drained.resolve();
    },
    async closeAll() {
      if (close === 'fail') throw new Error('cannot close');
      say('close');
    },
  });
  say('ready');
  if (fault === 'throw') setTimeout(() => { throw new Error('nobody catches this'); });
  if (fault === 'reject') void Promise.reject(new Error('nobody awaits this'));
`;

interface Behaviour {
  mode?: 'production' | 'development';
  drainMs?: number;
  close?: 'fail';
  fault?: 'throw' | 'reject';
}

/** The program as a child: what it said, what it logged. */
class Program {
  readonly said: string[] = [];
  readonly logged: { level: string; msg: string; err?: { stack: string } }[] = [];
  private readonly child: ChildProcess;
  private heard = () => {};

  constructor(behaviour: Behaviour) {
    this.child = spawn(
      process.execPath,
      ['--no-warnings', '--import', RUN_SOURCES, '--input-type=module', '--eval', PROGRAM],
      {
        env: {
          SHUTDOWN: new URL('shutdown.ts', import.meta.url).href,
          BEHAVIOUR: JSON.stringify({ mode: 'production', ...behaviour }),
        },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    if (!this.child.stdout) throw new Error('no output');
    createInterface(this.child.stdout).on('line', (line) => {
      if (line.startsWith('SAYS ')) this.said.push(line.slice('SAYS '.length));
      else this.logged.push(JSON.parse(line) as Program['logged'][number]);
      this.heard();
    });
  }

  async says(text: string): Promise<void> {
    while (!this.said.includes(text))
      await new Promise<void>((resolve) => {
        this.heard = resolve;
      });
  }

  send(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Exit code, after all of its output was read. */
  async exit(): Promise<number | null> {
    await once(this.child, 'close');
    return this.child.exitCode;
  }

  end(): void {
    this.child.kill('SIGKILL');
  }
}

let program: Program;
afterEach(() => program.end());

describe('a signal', () => {
  it.each([
    ['SIGTERM', 'production', 'drain default'],
    ['SIGINT', 'production', 'drain default'],
    ['SIGTERM', 'development', 'drain default'],
    ['SIGINT', 'development', 'drain 0'],
  ] as const)('%s in %s: %s, close, exit 0', async (signal, mode, drain) => {
    program = new Program({ mode, drainMs: 20 });
    await program.says('ready');
    program.send(signal);
    expect(await program.exit()).toBe(0);
    expect(program.said).toEqual(['ready', drain, 'close']);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('a second one, %s, hurries', async (second) => {
    program = new Program({});
    await program.says('ready');
    program.send('SIGTERM');
    await program.says('drain default');
    program.send(second);
    expect(await program.exit()).toBe(0);
    expect(program.said).toEqual(['ready', 'drain default', 'hurry', 'close']);
  });

  it('exits 1 when closing fails', async () => {
    program = new Program({ drainMs: 0, close: 'fail' });
    await program.says('ready');
    program.send('SIGTERM');
    expect(await program.exit()).toBe(1);
    expect(program.logged).toContainEqual(expect.objectContaining({ msg: 'stopping failed' }));
  });
});

describe('an uncaught error', () => {
  it.each([
    ['throw', 'uncaughtException', 'nobody catches this'],
    ['reject', 'unhandledRejection', 'nobody awaits this'],
  ] as const)('(%s) is logged, drains fast, exits 1', async (fault, msg, text) => {
    program = new Program({ drainMs: 20, fault });
    expect(await program.exit()).toBe(1);
    expect(program.said).toEqual(['ready', 'drain 3', 'close']);
    const fatal = program.logged.find(({ level }) => level === 'fatal');
    expect(fatal?.msg).toBe(msg);
    expect(fatal?.err?.stack).toMatch(new RegExp(`${text}\\n +at `));
  });

  it('is hurried by a signal', async () => {
    program = new Program({ fault: 'throw' });
    await program.says('drain 3');
    program.send('SIGTERM');
    expect(await program.exit()).toBe(1);
    expect(program.said).toEqual(['ready', 'drain 3', 'hurry', 'close']);
  });
});
