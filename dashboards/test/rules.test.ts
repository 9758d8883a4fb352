import { expect, test } from 'vitest';
import { renderRules, renderRuleTests } from '../src/rules.ts';
import { check, file, usePromtool } from './promtool.ts';

usePromtool();

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
