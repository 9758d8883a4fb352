import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { BOARDS } from '../src/files.ts';
import { ALERTS, renderRules, renderRuleTests } from '../src/rules.ts';

/** Prometheus' own parser and rule engine. */
const root = join(import.meta.dirname, '../..');
let promtool: string;
let folder: string;

beforeAll(() => {
  promtool = execFileSync(join(root, 'tools/go-tool'), ['promtool'], { encoding: 'utf8' }).trim();
  folder = mkdtempSync(join(tmpdir(), 'streamgate-rules-'));
}, 900_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const check = (...args: string[]) =>
  execFileSync(promtool, args, { encoding: 'utf8', stdio: 'pipe' });

test('the rules are such', () => {
  expect(check('check', 'rules', file('rules.yaml', renderRules()))).toContain('SUCCESS');
});

test('every query of every panel is PromQL', () => {
  const rules = BOARDS.flatMap(({ rows }) => rows.flatMap(({ panels }) => panels))
    .flatMap(({ queries }) => queries)
    .map(({ expr }, index) => ({
      record: `panel:${index}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$\w+/g, '.*'),
    }));
  const text = stringify({ groups: [{ name: 'panels', rules }] }, { lineWidth: 0 });
  expect(check('check', 'rules', file('panels.yaml', text))).toContain(
    `${rules.length} rules found`,
  );
});

test('every alert fires when it should, and only then', () => {
  const rules = file('rules.yaml', renderRules());
  for (const [name, text] of Object.entries(renderRuleTests(rules)))
    expect(check('test', 'rules', file(`${name}.yaml`, text))).toContain('SUCCESS');
}, 120_000);

test('an alert that cannot fire would be noticed', () => {
  const rules = file('deaf.yaml', renderRules().replaceAll('== 0', '== 7'));
  const tests = file('deaf-tests.yaml', renderRuleTests(rules).causes);
  expect(() => check('test', 'rules', tests)).toThrow();
}, 120_000);

test('every alert has its runbook, with all of its parts', () => {
  for (const { name } of ALERTS) {
    const page = readFileSync(join(root, `docs/runbooks/${name}.md`), 'utf8');
    for (const part of ['Meaning', 'Impact', 'First checks', 'Fix', 'Escalation'])
      expect(page, name).toContain(`\n## ${part}\n`);
  }
});
