import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');
export const chart = join(root, 'charts/streamgate');

const paths = new Map<string, string>();

/** @returns where a program of tools/ is, which `tools/ensure` has built before */
function path(name: string): string {
  const known = paths.get(name);
  if (known !== undefined) return known;
  const found = execFileSync(join(root, 'tools/go-tool'), [name], { encoding: 'utf8' }).trim();
  paths.set(name, found);
  return found;
}

export interface Outcome {
  status: number | null;
  /** What it wrote on stdout. */
  text: string;
  /** What it wrote on stderr. */
  complaint: string;
}

/** Runs a program of tools/ to its end. */
export function run(name: string, args: string[], input = ''): Outcome {
  const { status, stdout, stderr, error } = spawnSync(path(name), args, {
    input,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error) throw error;
  return { status, text: stdout, complaint: stderr };
}
