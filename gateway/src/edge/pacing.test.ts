import { describe, expect, test } from 'vitest';
import { dueNow, PacedList } from './pacing.js';

describe('dueNow', () => {
  test.each([
    ['nothing left', { left: 0, msLeft: 1000, elapsedMs: 100, credit: 0 }, 0],
    ['an even share', { left: 600, msLeft: 59_900, elapsedMs: 100, credit: 0 }, 1],
    ['less than one', { left: 300, msLeft: 59_900, elapsedMs: 100, credit: 0 }, 0],
    ['one with what was left over', { left: 300, msLeft: 59_900, elapsedMs: 100, credit: 0.6 }, 1],
    ['a late step catches up', { left: 600, msLeft: 57_000, elapsedMs: 3000, credit: 0 }, 30],
    ['no time passed', { left: 600, msLeft: 60_000, elapsedMs: 0, credit: 0 }, 0],
    ['no time left', { left: 600, msLeft: 0, elapsedMs: 100, credit: 0 }, 600],
    ['time is over', { left: 600, msLeft: -500, elapsedMs: 100, credit: 0 }, 600],
  ])('%s', (_, pace, due) => {
    expect(dueNow(pace).due).toBe(due);
  });
});

test.each([
  [300, 60, 100],
  [50_000, 60, 100],
  [3, 60, 100],
  [300, 1, 70],
  [7, 10, 333],
])(
  '%i items in %i s by steps of %i ms: even at every moment, none left',
  (count, seconds, step) => {
    const list = new PacedList(
      Array.from({ length: count }, (_, i) => i),
      seconds,
      0,
    );
    const done: number[] = [];
    for (let now = step; done.length < count; now += step) {
      done.push(...list.step(now));
      const expected = Math.min(count, (count * now) / (seconds * 1000));
      expect(Math.abs(done.length - expected)).toBeLessThanOrEqual(1);
    }
    expect(done).toEqual(Array.from({ length: count }, (_, i) => i));
  },
);
