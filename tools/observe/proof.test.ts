import { afterAll, beforeAll, expect, test } from 'vitest';
import { FAULTS } from './faults.ts';
import { prove } from './proof.ts';
import { rules, shortened } from './rules.ts';
import { Stage } from './stage.ts';

/** The beginning of what `npm run -s prove-boards` does in full. */
const SECONDS = 1;
const stage = new Stage({
  env: { PATH: process.env['PATH'] },
  rules: shortened(rules(), 60, 5 * SECONDS),
  seconds: SECONDS,
});
beforeAll(() => stage.start(), 900_000);
afterAll(() => stage.stop());

test('every panel has data, no alert fires, and one does when a command is broken', async () => {
  const seen: string[] = [];
  const missing = await prove(stage, {
    seconds: SECONDS,
    healthySeconds: 12,
    faults: FAULTS.slice(0, 1),
    say: (line) => seen.push(line),
  });
  expect(missing, seen.join('\n')).toEqual([]);
  expect(seen.length).toBeGreaterThan(80);
}, 120_000);

test('windows are shortened wherever they stand, and names are not', () => {
  const rule = 'record: r:ratio_rate1h\nexpr: rate(a[1h]) > 1 unless a offset 10m\nfor: 2m';
  expect(shortened(rule, 30, 5)).toBe(
    'record: r:ratio_rate1h\nexpr: rate(a[120s]) > 1 unless a offset 20s\nfor: 5s',
  );
  // Nothing is left that a run of minutes would not see.
  expect(shortened(rules(), 30, 5)).not.toMatch(/\[\d+[mhd]\]|offset \d+[mhd]|for: \d+[mhd]/);
});
