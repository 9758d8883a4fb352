import { expect, test } from 'vitest';
import { isDeeperThan } from './json-depth.js';

const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));

test.each<[string, unknown, number, boolean]>([
  ['a number', 1, 0, false],
  ['null', null, 0, false],
  ['an empty list', [], 0, true],
  ['an empty list', [], 1, false],
  ['an object in a list', [{}], 1, true],
  ['an object in a list', [{}], 2, false],
  ['wide, not deep', Array.from({ length: 1000 }, () => ({})), 2, false],
  ['100 levels', nested(100), 100, false],
  ['101 levels', nested(101), 100, true],
  ['more levels than a stack holds', nested(50_000), 100, true],
])('%s: deeper than %3$d', (_name, value, levels, deeper) => {
  expect(isDeeperThan(value, levels)).toBe(deeper);
});
