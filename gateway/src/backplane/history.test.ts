import { expect, test, vi } from 'vitest';
import { History } from './history.js';

const everyone = { rooms: new Set<string>(), except: new Set<string>(), flags: {} };
const events = (history: History, offset: string) =>
  history.since(offset, ['r:x'])?.map(([name]) => name);

test('gives what came behind an offset, and nothing behind the last', () => {
  const history = new History('run', 60_000);
  const start = history.offset();
  const first = history.append(['a'], everyone);
  expect(history.append(['b'], everyone)).toBe(history.offset());
  expect(events(history, start)).toEqual(['a', 'b']);
  expect(events(history, first)).toEqual(['b']);
  expect(events(history, history.offset())).toEqual([]);
});

test.each(['other-1', 'run-3', 'run--1', 'run-x', 'run-1.5', 'run', ''])(
  'does not know %j',
  (offset) => {
    const history = new History('run', 60_000);
    history.append(['a'], everyone);
    history.append(['b'], everyone);
    expect(history.since(offset, [])).toBeUndefined();
  },
);

test('forgets what is too old, and knows that it did', () => {
  vi.useFakeTimers();
  try {
    const history = new History('run', 1000);
    const start = history.offset();
    const old = history.append(['old'], everyone);
    vi.advanceTimersByTime(900);
    history.append(['new'], everyone);
    vi.advanceTimersByTime(200);
    expect(history.since(start, [])).toBeUndefined();
    expect(events(history, old)).toEqual(['new']);
    vi.advanceTimersByTime(5000);
    expect(history.since(old, [])).toBeUndefined();
    expect(events(history, history.offset())).toEqual([]);
  } finally {
    vi.useRealTimers();
  }
});

test('is bounded in events and bytes, and right after it has moved', () => {
  const history = new History('run', 60_000);
  const start = history.offset();
  let offset = '';
  for (let index = 0; index < 250_000; index++) {
    const given = history.append([`e${index}`], everyone);
    if (index === 249_997) offset = given;
  }
  expect(history.since(start, [])).toBeUndefined();
  expect(events(history, offset)).toEqual(['e249998', 'e249999']);
  const big = history.append(['big', new Uint8Array(60 * 1024 * 1024)], everyone);
  history.append(['bigger', new Uint8Array(60 * 1024 * 1024)], everyone);
  expect(history.since(offset, [])).toBeUndefined();
  expect(events(history, big)).toEqual(['bigger']);
});
