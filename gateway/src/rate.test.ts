import { expect, test } from 'vitest';
import { afterTaking, overdraft } from './rate.js';

test('gives the burst at once, then the rate', () => {
  const [cost, burst] = [1000 / 30, 10 * (1000 / 30)];
  let paidUntil = 0;
  const given = (now: number) => {
    const next = afterTaking(paidUntil, cost, now);
    if (overdraft(next, burst, now) > 0) return false;
    paidUntil = next;
    return true;
  };
  const start = 1_700_000_000_000;
  expect(Array.from({ length: 12 }, () => given(start)).filter(Boolean)).toHaveLength(10);
  let later = 0;
  for (let ms = 1; ms <= 10_000; ms++) if (given(start + ms)) later++;
  expect(later).toBe(300);
});

test('says how long to wait', () => {
  expect(overdraft(afterTaking(1000, 100, 0), 500, 0)).toBe(600);
  expect(overdraft(afterTaking(1000, 100, 600), 500, 600)).toBe(0);
});
