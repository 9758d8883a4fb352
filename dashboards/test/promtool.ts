import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';

/** Prometheus' own parser and rule engine, for a file of tests. */
const root = join(import.meta.dirname, '../..');
let promtool: string;
let folder: string;

/** Registers what makes it ready: it may have to be built. */
export function usePromtool(): void {
  beforeAll(() => {
    promtool = execFileSync(join(root, 'tools/go-tool'), ['promtool'], { encoding: 'utf8' }).trim();
    folder = mkdtempSync(join(tmpdir(), 'streamgate-rules-'));
  }, 900_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
}

/** Writes a file that is gone with the tests; returns its path. */
export function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** @throws Error when promtool finds fault */
export function check(...args: string[]): string {
  return execFileSync(promtool, args, { encoding: 'utf8', stdio: 'pipe' });
}
