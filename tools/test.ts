/**
 * `make test`: every suite, one after the other, with what it needs installed first. Ends with the
 * minutes of each and, as the last line, `N passed, N failed`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Suite, suites } from './suites.ts';

interface Outcome {
  name: string;
  minutes: number;
  passed: number;
  failed: number;
  /** Why it was not run. */
  missing?: string;
}

/** How long a suite may take to end once its report is there. */
const END_MS = 60_000;
const here = import.meta.dirname;
const root = join(here, '..');
const isCi = !['', '0', 'false', undefined].includes(process.env.CI);

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
  if (missing !== undefined) return { name, minutes: 0, passed: 0, failed: isCi ? 1 : 0, missing };

  const report = join(root, '.cache/test', `${name}.json`);
  rmSync(report, { force: true });
  mkdirSync(join(report, '..'), { recursive: true });
  const started = performance.now();
  const vitest = spawn(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      `--project=${name}`,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    { cwd: root, stdio: 'inherit' },
  );
  // A server that a failed test has left behind can keep it from ending.
  const watch = setInterval(() => {
    if (!existsSync(report)) return;
    clearInterval(watch);
    ending = setTimeout(() => vitest.kill('SIGKILL'), END_MS);
  }, 1000);
  let ending: NodeJS.Timeout | undefined;
  const [status] = await once(vitest, 'exit');
  clearInterval(watch);
  clearTimeout(ending);
  return { name, minutes: (performance.now() - started) / 60_000, ...count(report, status === 0) };
}

/** A suite that fails without a failed test (a file that does not load, no report) counts as one. */
function count(report: string, succeeded: boolean): { passed: number; failed: number } {
  try {
    const { numPassedTests: passed, numFailedTests: failed } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    return { passed, failed: Math.max(failed, succeeded ? 0 : 1) };
  } catch {
    return { passed: 0, failed: 1 };
  }
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
for (const { name, minutes, passed, failed, missing } of outcomes) {
  const numbers = `${minutes.toFixed(1).padStart(5)} min  ${passed} passed, ${failed} failed`;
  console.log(`${name.padEnd(10)} ${missing === undefined ? numbers : `not run: ${missing}`}`);
}
const total = (key: 'passed' | 'failed') => outcomes.reduce((sum, one) => sum + one[key], 0);
console.log(`${total('passed')} passed, ${total('failed')} failed`);
process.exitCode = total('failed') > 0 ? 1 : 0;
