import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { BOARDS } from '../src/files.ts';
import { ALERTS, renderRules } from '../src/rules.ts';
import { check, file, usePromtool } from './promtool.ts';

const root = join(import.meta.dirname, '../..');
usePromtool();

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

test('every alert has its runbook, with all of its parts', () => {
  for (const { name } of ALERTS) {
    const page = readFileSync(join(root, `docs/runbooks/${name}.md`), 'utf8');
    for (const part of ['Meaning', 'Impact', 'First checks', 'Fix', 'Escalation'])
      expect(page, name).toContain(`\n## ${part}\n`);
  }
});
