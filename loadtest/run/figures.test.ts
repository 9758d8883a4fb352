import { expect, test } from 'vitest';
import { delivery, perSession } from './figures.ts';
import type { Measured } from './measured.ts';
import { HEARTBEAT_SECONDS } from './memory.ts';
import { PLANS } from './plans.ts';

const measured: Measured = {
  candidate: 'streamgate',
  ...{ sessions: 1000, seconds: HEARTBEAT_SECONDS, rates: [1], metrics: {}, samples: [] },
  ...{ loadEnds: HEARTBEAT_SECONDS, facts: { 'millicores alone': 1, 'millicores with people': 9 } },
};
const idle = (seconds: number) =>
  perSession({ ...measured, seconds }).find(({ name }) => name.startsWith('CPU of 1000'))?.value;

test('CPU of idle sessions is said of a time with a heartbeat of each only', () => {
  expect(idle(HEARTBEAT_SECONDS)).toBeCloseTo(8);
  expect(idle(8)).toBeUndefined();
  expect(PLANS.find(({ name }) => name === 'hold')?.size.seconds).toBe(HEARTBEAT_SECONDS);
});

test('a share of a thousandth is said of ten thousand events only', () => {
  const names = (count: number) =>
    delivery({ ...measured, metrics: { load_delivery: { count } } }).map(({ name }) => name);
  expect(names(9999)).toEqual(['Delivery, median', 'Delivery, 99 %']);
  expect(names(10_000)).toContain('Delivery, 99.9 %');
});
