import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './programs.ts';

/** What a case has shown. */
export interface Evidence {
  readonly number: number;
  readonly title: string;
  readonly lines: string[];
}

const folder = join(root, '.cache/e2e/evidence');

/** Notes what a case shows, at once: printed, and kept for the page. */
export function evidence(number: number, title: string): (line: string) => void {
  const kept: Evidence = { number, title, lines: [] };
  return (line) => {
    kept.lines.push(line);
    process.stdout.write(`  case ${number}: ${line}\n`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${number}.json`), JSON.stringify(kept));
  };
}

export function forgetEvidence(): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Of the cases of the last run, in their order. */
export function keptEvidence(): Evidence[] {
  mkdirSync(folder, { recursive: true });
  return readdirSync(folder)
    .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Evidence)
    .sort((a, b) => a.number - b.number);
}
