/**
 * `make test`: every suite, one after the other, with what it needs installed first. Ends with what
 * failed, the minutes of each suite and, as the last line, `N passed, N failed`.
 *
 * Under CI the files of up to {@link AGAIN_MAX} failed tests of a suite run once more, alone. What passes
 * only then lets the run succeed, but is listed as unsteady: a fault of the test or of the product, to be mended.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Suite, suites } from './suites.ts';

interface Outcome {
  name: string;
  minutes: number;
  passed: number;
  failed: number;
  /** What failed, each as `file > test: first line of the message`. */
  failures: string[];
  /** The same of what passed when it was run again. */
  unsteady: string[];
  /** Why it was not run. */
  missing?: string;
}

/** How long a suite may take to end once its report is there. */
const END_MS = 60_000;
/** More failed tests of a suite than this are no accident. */
const AGAIN_MAX = 3;
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
  const nothing = { name, minutes: 0, passed: 0, failures: [], unsteady: [] };
  if (missing !== undefined) return { ...nothing, failed: isCi ? 1 : 0, missing };

  const started = performance.now();
  const first = await runVitest(name);
  let { passed, failed, failures } = first;
  let unsteady: string[] = [];
  if (isCi && failed > 0 && failed <= AGAIN_MAX && failures.length === failed) {
    console.log(`\nAgain, alone: ${first.files.join(' ')}`);
    const second = await runVitest(name, first.files);
    if (second.failed === 0) {
      passed += failed;
      failed = 0;
      unsteady = failures;
      failures = [];
    }
  }
  const minutes = (performance.now() - started) / 60_000;
  return { name, minutes, passed, failed, failures, unsteady };
}

/** One run of a suite, or of some of its files. */
async function runVitest(name: string, files: string[] = []): Promise<Report> {
  const report = join(root, '.cache/test', `${name}.json`);
  rmSync(report, { force: true });
  mkdirSync(join(report, '..'), { recursive: true });
  const vitest = spawn(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      `--project=${name}`,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...files,
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
  return read(report, status === 0);
}

interface Report {
  passed: number;
  failed: number;
  failures: string[];
  /** Those with a failed test, relative to the root. */
  files: string[];
}

/** A suite that fails without a failed test (a file that does not load, no report) counts as one. */
function read(report: string, succeeded: boolean): Report {
  if (!existsSync(report)) return { passed: 0, failed: 1, failures: ['no report'], files: [] };
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
  const failures: string[] = [];
  const files: string[] = [];
  for (const { name, status, message, assertionResults } of testResults) {
    if (status !== 'failed') continue;
    const file = relative(root, name);
    files.push(file);
    const failed = assertionResults.filter((one: { status: string }) => one.status === 'failed');
    for (const { fullName, failureMessages } of failed) {
      failures.push(`${file} > ${fullName}: ${firstLine(failureMessages[0])}`);
    }
    if (failed.length === 0) failures.push(`${file}: ${firstLine(message)}`);
  }
  const failed = Math.max(numFailedTests, failures.length, succeeded ? 0 : 1);
  return { passed: numPassedTests, failed, failures, files };
}

const firstLine = (text = '') => text.split('\n', 1)[0]!.slice(0, 300);

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
for (const { failures, unsteady } of outcomes) {
  for (const one of failures) console.log(`failed: ${one}`);
  for (const one of unsteady) console.log(`unsteady, passed when run again: ${one}`);
}
for (const { name, minutes, passed, failed, missing } of outcomes) {
  const numbers = `${minutes.toFixed(1).padStart(5)} min  ${passed} passed, ${failed} failed`;
  console.log(`${name.padEnd(10)} ${missing === undefined ? numbers : `not run: ${missing}`}`);
}
const total = (key: 'passed' | 'failed') => outcomes.reduce((sum, one) => sum + one[key], 0);
console.log(`${total('passed')} passed, ${total('failed')} failed`);
process.exitCode = total('failed') > 0 ? 1 : 0;
