import { expect, test } from 'vitest';
import { growthPerHour, slope } from './trend.ts';

const hour = Array.from({ length: 3600 }, (_, second) => second);

test('the slope of a line is its own', () => {
  expect(slope(hour.map((second) => ({ second, value: 5 + 2 * second })))).toBeCloseTo(2);
});

test('what goes up and down with collections of garbage does not grow', () => {
  const points = hour.map((second) => ({ second, value: 100 + (second % 60) }));
  expect(Math.abs(growthPerHour(points))).toBeLessThan(0.01);
});

test('a leak shows through them', () => {
  const points = hour.map((second) => ({ second, value: 100 + (second % 60) + second / 180 }));
  expect(growthPerHour(points)).toBeGreaterThan(0.1);
});
