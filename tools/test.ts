/**
 * `make test`: every suite, one after the other, with what it needs installed first. Ends with what
 * failed, the minutes of each suite and, as the last line, `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { isCi, type Judged, printFailures, runTests } from './run-tests.ts';
import { type Suite, suites } from './suites.ts';

interface Outcome extends Judged {
  name: string;
  minutes: number;
  /** Why it was not run. */
  missing?: string;
}

const here = import.meta.dirname;

function missingPrograms(suite: Suite): string | undefined {
  const { status, stderr } = spawnSync(join(here, 'ensure'), suite.needs ?? [], {
    stdio: ['inherit', 'inherit', 'pipe'],
    encoding: 'utf8',
  });
  if (status === 0) return undefined;
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('missing: '))
    .join(', ');
}

async function run(suite: Suite): Promise<Outcome> {
  const { name } = suite;
  const missing = missingPrograms(suite);
  const nothing = { name, minutes: 0, passed: 0, failures: [], unsteady: [] };
  if (missing !== undefined) return { ...nothing, failed: isCi ? 1 : 0, missing };

  const started = performance.now();
  const judged = await runTests(name, [`--project=${name}`]);
  return { name, minutes: (performance.now() - started) / 60_000, ...judged };
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !suites.some((suite) => suite.name === name));
if (unknown.length > 0) throw new Error(`no such suite: ${unknown.join(', ')}`);

const outcomes: Outcome[] = [];
for (const suite of suites) {
  if (wanted.length > 0 && !wanted.includes(suite.name)) continue;
  console.log(`\nSuite ${suite.name}`);
  outcomes.push(await run(suite));
}

console.log();
for (const outcome of outcomes) printFailures(outcome);
for (const { name, minutes, passed, failed, missing } of outcomes) {
  const numbers = `${minutes.toFixed(1).padStart(5)} min  ${passed} passed, ${failed} failed`;
  console.log(`${name.padEnd(10)} ${missing === undefined ? numbers : `not run: ${missing}`}`);
}
const total = (key: 'passed' | 'failed') => outcomes.reduce((sum, one) => sum + one[key], 0);
console.log(`${total('passed')} passed, ${total('failed')} failed`);
process.exitCode = total('failed') > 0 ? 1 : 0;
