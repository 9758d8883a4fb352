import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const out = mkdtempSync(join(tmpdir(), 'streamgate-load-'));
afterEach(() => rmSync(out, { recursive: true }));

test('make load COMPARE=stock leaves a report of both gateways', async () => {
  const env = { ...process.env, SCENARIO: 'unicast', COMPARE: 'stock', SMOKE: '1', OUT: out };
  await promisify(execFile)('npm', ['run', '--silent', 'load'], { cwd: root, env }).catch(
    // The machine may be busy with other tests: 3 says that the run is invalid.
    ({ code, stderr }: { code: number; stderr: string }) => expect([3, stderr]).toContain(code),
  );
  const summary = readFileSync(join(out, 'summary.md'), 'utf8');
  expect(summary).toMatch(/\| measure +\| stock Nest +\| Streamgate +\| times better \|/);
  expect(summary).toMatch(/\| Delivered +\| 100 % +\| 100 % +\| 1\.00x +\|/);
  expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('new uPlot(');
  const report = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as {
    commit: string;
    results: { outcomes: { candidate: string }[] }[];
  };
  expect(report.commit).not.toBe('');
  expect(report.results[0]!.outcomes.map(({ candidate }) => candidate).toSorted()).toEqual([
    'stock',
    'streamgate',
  ]);
});
