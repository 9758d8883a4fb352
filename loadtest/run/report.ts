import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceMarked } from '../../gateway/bench/program.ts';
import type { Machine } from './machine.ts';
import { page } from './report-page.ts';
import { compared, isValid, section, verdicts, type Result } from './tables.ts';

const DOCUMENT = new URL('../../docs/performance.md', import.meta.url);

/** Of the whole run. */
export interface Head extends Machine {
  /** ISO 8601. */
  readonly time: string;
  readonly nodes: number;
}

/**
 * Writes `summary.md`, `report.html` and `report.json` into a folder.
 * @param writes the table of docs/performance.md too, when candidates were compared and a scenario counts
 * @returns the summary
 */
export function writeReport(
  dir: string,
  head: Head,
  results: readonly Result[],
  writes: boolean,
): string {
  const { time, machine, versions, commit, nodes } = head;
  const text = [
    `# Load test of ${time.slice(0, 16).replace('T', ' ')} UTC`,
    `Commit ${commit}, ${nodes} nodes. ${versions}. ${machine}.`,
    ...results.map(section),
  ].join('\n\n');
  writeFileSync(join(dir, 'summary.md'), `${text}\n`);
  writeFileSync(join(dir, 'report.json'), `${JSON.stringify({ ...head, results }, null, 2)}\n`);
  writeFileSync(join(dir, 'report.html'), page(head, results, text));
  // Where no scenario has rounds that count on both sides, the table that is there says more.
  if (writes && results.some(({ outcomes }) => isValid(outcomes))) {
    const before = readFileSync(DOCUMENT, 'utf8');
    writeFileSync(DOCUMENT, replaceMarked(before, 'load', table(head, results)));
  }
  return `${text}\n`;
}

function table(
  { time, machine, versions, commit, nodes }: Head,
  results: readonly Result[],
): string {
  const rounds = results[0]!.outcomes.length / 2;
  return [
    ...compared(results),
    '',
    `Medians of up to ${rounds} valid rounds each, in turns, ${nodes} nodes, ${time.slice(0, 10)}, commit ${commit}, ${versions}, ${machine}.`,
    '',
    ...results.flatMap(({ name, outcomes }) => [
      isValid(outcomes)
        ? `${name}:`
        : `${name}, not in the table since a gateway has no valid round:`,
      '',
      verdicts(outcomes),
      '',
    ]),
  ]
    .join('\n')
    .trimEnd();
}
