import { describe, expect, test } from 'vitest';
import type { Candidate, Outcome, Verdict } from './measured.ts';
import { compared, section, statusOf, type Result } from './tables.ts';

const round = (candidate: Candidate, verdict: Verdict, value: number) =>
  ({
    ...{ candidate, verdict, sessions: 10, seconds: 5, invalid: [], checks: [] },
    figures: [{ name: 'Delivery', unit: 'ms', value, better: 'lower' }],
  }) as unknown as Outcome;
const result = (...outcomes: Outcome[]): Result => ({ name: 'unicast', asks: '', outcomes });
const ours = [round('streamgate', 'passed', 10), round('streamgate', 'passed', 12)];

describe('what is compared', () => {
  test('is the median of rounds that are not invalid', () => {
    const rows = compared([
      result(...ours, round('stock', 'invalid', 900), round('stock', 'failed', 22)),
    ]);
    expect(rows.at(-1)).toMatch(/unicast +\| Delivery +\| 22.* ms +\| 11.* ms +\| 2\.00x/);
  });

  test('says where no round counts, without a ratio, and is not published', () => {
    const none = result(...ours, round('stock', 'invalid', 900), round('stock', 'invalid', 20));
    expect(section(none)).toMatch(/Delivery +\| 460.* ms \(invalid\) +\| 11.* ms +\| +\|/);
    expect(compared([none]).join()).not.toContain('Delivery');
  });
});

test('the exit status tells of invalid rounds of both, and of failures of ours', () => {
  expect(statusOf([result(...ours, round('stock', 'failed', 1))])).toBe(0);
  expect(statusOf([result(...ours, round('stock', 'invalid', 1))])).toBe(3);
  expect(statusOf([result(round('streamgate', 'failed', 1), round('stock', 'invalid', 1))])).toBe(
    1,
  );
});
