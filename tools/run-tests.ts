/**
 * One run of Vitest, judged by its report. Under CI the files of up to {@link AGAIN_MAX} failed tests run once
 * more, alone. What passes only then lets the run succeed, but is listed as unsteady: a fault of the test or of
 * the product, to be mended.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface Judged {
  passed: number;
  failed: number;
  /** What failed, each as `file > test: first line of the message`. */
  failures: string[];
  /** The same of what passed when it was run again. */
  unsteady: string[];
}

/** How long a run may take to end once its report is there. */
const END_MS = 60_000;
/** More failed tests of a run than this are no accident. */
const AGAIN_MAX = 3;
const root = join(import.meta.dirname, '..');
export const isCi = !['', '0', 'false', undefined].includes(process.env.CI);

/**
 * @param name of the report, `.cache/test/<name>.json`
 * @param options of Vitest
 * @param filters which files, as Vitest takes them; none means all
 */
export async function runTests(
  name: string,
  options: string[],
  filters: string[] = [],
): Promise<Judged> {
  const { passed, failed, failures, files } = await runVitest(name, [...options, ...filters]);
  if (isCi && failed > 0 && failed <= AGAIN_MAX && failures.length === failed) {
    console.log(`\nAgain, alone: ${files.map((file) => relative(root, file)).join(' ')}`);
    const second = await runVitest(name, [...options, ...files]);
    if (second.failed === 0)
      return { passed: passed + failed, failed: 0, failures: [], unsteady: failures };
  }
  return { passed, failed, failures, unsteady: [] };
}

/** A line for each. */
export function printFailures({ failures, unsteady }: Judged): void {
  for (const one of failures) console.log(`failed: ${one}`);
  for (const one of unsteady) console.log(`unsteady, passed when run again: ${one}`);
}

async function runVitest(name: string, args: string[]): Promise<Report> {
  const report = join(root, '.cache/test', `${name}.json`);
  rmSync(report, { force: true });
  mkdirSync(join(report, '..'), { recursive: true });
  const vitest = spawn(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...args,
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
  /** Those with a failed test. */
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
    files.push(name);
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
