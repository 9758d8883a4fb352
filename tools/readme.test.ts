import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);

/** A program, what it wrote so far, and a way to wait for more. */
class Program {
  output = '';
  private readonly child: ChildProcess;

  constructor(command: string, args: string[], env: NodeJS.ProcessEnv) {
    this.child = spawn(command, args, { cwd: root, env: { ...process.env, ...env } });
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

  private get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** @returns its exit status */
  async end(signal?: NodeJS.Signals): Promise<number | null> {
    if (signal) this.child.kill(signal);
    if (!this.ended) await once(this.child, 'exit');
    return this.child.exitCode;
  }
}

const programs: Program[] = [];
function run(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Program {
  const program = new Program(command, args, env);
  programs.push(program);
  return program;
}
afterEach(() => Promise.all(programs.splice(0).map((program) => program.end('SIGKILL'))));

test('the client and the curl of the README reach what make run starts', async () => {
  const [start, client = '', curl = ''] = blocks;
  expect(start).toBe('make run\n');

  const gateway = run(process.execPath, ['tools/run.ts'], {
    STREAMGATE_HTTP_PORT: '0',
    STREAMGATE_MANAGEMENT_PORT: '0',
  });
  await gateway.wrote(/SERVICE=\S+\n/);
  const [, url = ''] = await gateway.wrote(/^Clients and REST +(\S+)$/m);
  const tokens = Object.fromEntries(
    [...gateway.output.matchAll(/^export (\w+)=(\S+)$/gm)].map(([, name, token]) => [name, token]),
  );
  const paste = (block: string) =>
    run('bash', ['-c', block.replaceAll('http://localhost:3000', url)], tokens);

  const alice = paste(client);
  await alice.wrote(/connected as alice\n/);
  await alice.wrote(/answer \{/);
  const answer = paste(curl);
  await answer.wrote(/"success":true/);
  await alice.wrote(/notification \{ title: 'Hello', body: 'from a service' \}/);

  // Ctrl-C with a client connected: at once, and cleanly.
  expect(await gateway.end('SIGINT')).toBe(0);
});
