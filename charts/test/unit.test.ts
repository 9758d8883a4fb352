import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { chart, run } from './program.ts';

/** Tests of templates, in the words of helm-unittest. */
const suites = globSync('tests/*_test.yaml', { cwd: chart }).sort();

test.each(suites)('%s', (suite) => {
  const { status, text, complaint } = run('helm-unittest', ['--strict', '--file', suite, chart]);
  expect(status, text + complaint).toBe(0);
  expect(text).toMatch(/^Test Suites: 1 passed, 1 total$/m);
});

test('every template has a test', () => {
  const tests = suites.map((suite) => readFileSync(join(chart, suite), 'utf8')).join('\n');
  const templates = globSync('templates/**/*.{yaml,txt}', { cwd: chart });
  const named = (template: string) => template.replace('templates/', '');
  expect(templates.map(named).filter((name) => !tests.includes(name))).toEqual([]);
});
