import { expect, it } from 'vitest';
import { Doubts } from './doubts.js';
import { OTHERS } from './message.js';
import { parsePosition } from './position.js';
import { type Run, formatServed, parseServed, runWith, withEvent } from './served.js';

const runsOf = (numbers: number[], step = 1) =>
  numbers.reduce<Run[]>((runs, number) => withEvent(runs, number, step), []);
const text = (runs: Run[]) => formatServed({ runs, until: 9 });

it.each([
  [[], ''],
  [[5], '!9.5-5'],
  [[1, 2, 3], '!9.1-3'],
  [[3, 1, 2], '!9.1-3'],
  [[1, 3], '!9.1-1.3-3'],
  [[1, 3, 2], '!9.1-3'],
])('tells runs of events: %j', (numbers, expected) => {
  expect(text(runsOf(numbers))).toBe(expected);
});

it('counts in steps where there are shards', () => {
  expect(text(runsOf([4, 7, 10, 16], 3))).toBe('!9.4-10.16-16');
});

it('does not take events of other shards for those of a run', () => {
  const served = { runs: runsOf([4, 7, 10], 3), until: 9 };
  const numbers = Array.from({ length: 12 }, (_, number) => number);
  expect(numbers.filter((number) => runWith(served, number, 3))).toEqual([4, 7, 10]);
});

it('tells less exactly what would be too long', () => {
  const runs = runsOf([1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
  expect(runs).toHaveLength(8);
  expect(runs.at(-1)).toEqual({ from: 15, to: 19, exact: false });
  expect(parseServed(text(runs).slice(1))).toEqual({ runs, until: 9 });
});

it.each(['!', '!9', '!9.', '!9.1', '!9.1-', '!a.1-1', '!9.1-1!', '!9.1-1.'])(
  'takes no position that ends in %j',
  (tail) => {
    expect(parsePosition(`1.1-1.0${tail}`, 1)).toBeUndefined();
    expect(parsePosition('1.1-1.0!9.1-1', 1)?.served?.until).toBe(9);
  },
);

it('takes what several shards tell together', () => {
  const { served } = parsePosition('1.1-1.1-2!7.2-4!9~3-5', 2)!;
  expect(served!.until).toBe(9);
  expect(served!.runs).toHaveLength(2);
});

it('knows what is left in doubt until a marker behind it is read back', () => {
  const doubts = new Doubts(1);
  doubts.add(1, 100);
  doubts.add(2, 100);
  expect(doubts.serve(1)).toBe(true);
  expect(doubts.suffix).toBe('!100.1-1');
  expect(doubts.readBack(1)).toBe(false);
  expect(doubts.readBack(2)).toBe(true);
  expect(doubts.serve(2)).toBe(false);
  expect(doubts.canEnd(100)).toBe(false);
  expect(doubts.canEnd(101)).toBe(true);
  doubts.endAt(OTHERS + 3);
  doubts.readBack(OTHERS + 2);
  expect(doubts.hasServed).toBe(true);
  doubts.readBack(OTHERS + 3);
  expect(doubts.hasServed).toBe(false);
  expect(doubts.suffix).toBe('');
});

it('does not end by a marker that was sent before the last doubt', () => {
  const doubts = new Doubts(1);
  doubts.add(1, 100);
  doubts.serve(1);
  doubts.endAt(OTHERS + 1);
  doubts.add(2, 200);
  doubts.readBack(OTHERS + 1);
  expect(doubts.hasServed).toBe(true);
});
