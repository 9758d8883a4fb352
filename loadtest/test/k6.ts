import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { tie } from '../../gateway/test/tied.ts';
import { k6Program } from '../run/program.ts';

/** What a script of ./scripts said with console.log, a value of JSON for each line. */
export interface Run {
  readonly said: unknown[];
  /** Everything that k6 wrote. */
  readonly output: string;
  readonly code: number | null;
}

/**
 * Runs a script with k6, its settings in `__ENV`.
 * @throws Error with what k6 wrote, when it failed and `fails` does not expect it
 */
export async function runScript(
  name: string,
  env: Record<string, string>,
  { fails = false }: { fails?: boolean } = {},
): Promise<Run> {
  const flags = ['--quiet', '--no-usage-report', '--summary-mode=disabled', '--log-format=json'];
  const script = join(import.meta.dirname, 'scripts', `${name}.ts`);
  const child = tie(
    spawn(k6Program(), ['run', ...flags, '--address=', script], {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  let output = '';
  child.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr!.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0 && !fails) throw new Error(`k6 ended with ${code}:\n${output}`);
  const said = output
    .split('\n')
    .filter((line) => line.includes('"source":"console"'))
    .map((line): unknown => JSON.parse((JSON.parse(line) as { msg: string }).msg));
  return { said, output, code };
}
