import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ExpiryWheel } from './expiry.js';

let expired: string[];
let wheel: ExpiryWheel<{ id: string }>;
beforeEach(() => {
  vi.useFakeTimers();
  expired = [];
  wheel = new ExpiryWheel((session) => expired.push(session.id));
});
afterEach(() => {
  wheel.close();
  vi.useRealTimers();
});
const [a, b, c] = [{ id: 'a' }, { id: 'b' }, { id: 'c' }];

test('calls once, not early, half a second late at most', () => {
  const at = Date.now() + 5_000;
  wheel.watch(a, at);
  vi.advanceTimersByTime(4_999);
  expect(expired).toEqual([]);
  vi.advanceTimersByTime(501);
  expect(expired).toEqual(['a']);
  vi.advanceTimersByTime(60_000);
  expect(expired).toEqual(['a']);
});

test('what is past is due at once', () => {
  wheel.watch(a, 0);
  vi.advanceTimersByTime(250);
  expect(expired).toEqual(['a']);
});

test('a new time replaces the old one, and unwatch ends it', () => {
  const now = Date.now();
  wheel.watch(a, now + 1_000);
  wheel.watch(a, now + 10_000);
  wheel.watch(b, now + 1_000);
  wheel.watch(c, now + 1_000);
  wheel.unwatch(b);
  vi.advanceTimersByTime(2_000);
  expect(expired).toEqual(['c']);
  vi.advanceTimersByTime(9_000);
  expect(expired).toEqual(['c', 'a']);
});

test('futures beyond what a timer can hold', () => {
  const year = 365 * 86_400_000;
  wheel.watch(a, Date.now() + year);
  wheel.watch(b, Infinity);
  vi.advanceTimersByTime(3_000);
  expect(expired).toEqual([]);
  vi.setSystemTime(Date.now() + year);
  vi.advanceTimersByTime(500);
  expect(expired).toEqual(['a']);
});

test('a callback may watch again and end others', () => {
  wheel.close();
  wheel = new ExpiryWheel((session) => {
    expired.push(session.id);
    wheel.unwatch(b);
    if (expired.length === 1) wheel.watch(session, Date.now() + 1_000);
  });
  wheel.watch(a, Date.now());
  wheel.watch(b, Date.now());
  vi.advanceTimersByTime(2_000);
  expect(expired).toEqual(['a', 'a']);
});

test('a clock that steps back and forth only delays', () => {
  const start = Date.now();
  wheel.watch(a, start + 1_000);
  vi.setSystemTime(start - 3_600_000);
  wheel.watch(b, start - 3_600_000 + 1_000);
  vi.advanceTimersByTime(2_000);
  expect(expired).toEqual(['b']);
  vi.setSystemTime(start + 2_000);
  vi.advanceTimersByTime(500);
  expect(expired).toEqual(['b', 'a']);
});
