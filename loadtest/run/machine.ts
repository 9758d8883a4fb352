import { execFileSync } from 'node:child_process';
import { cpus, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { k6Program } from './program.ts';

/** Where and with what a run was made. */
export interface Machine {
  readonly machine: string;
  readonly versions: string;
  /** Of this repository; `+` when files have changed since. */
  readonly commit: string;
}

export function machine(): Machine {
  const [cpu] = cpus();
  const say = (program: string, args: string[]) =>
    execFileSync(program, args, {
      encoding: 'utf8',
      cwd: join(import.meta.dirname, '../..'),
    }).trim();
  const redis = /v=(\S+)/.exec(say('redis-server', ['--version']))?.[1] ?? 'unknown';
  const k6 = /v(\d\S+)/.exec(say(k6Program(), ['version']))?.[1] ?? 'unknown';
  return {
    machine: `${cpus().length} x ${cpu?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()}`,
    versions: `Node ${process.version}, k6 ${k6}, Redis ${redis}`,
    commit: commit(say),
  };
}

function commit(say: (program: string, args: string[]) => string): string {
  try {
    const changed = say('git', ['status', '--porcelain', '--untracked-files=no']) === '' ? '' : '+';
    return `${say('git', ['rev-parse', '--short', 'HEAD'])}${changed}`;
  } catch {
    return 'unknown'; // not a clone
  }
}
