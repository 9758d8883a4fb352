import { Manager } from 'socket.io-client';
import { afterEach, expect, it, vi } from 'vitest';
import { Backoff } from '../lib/backoff.ts';

afterEach(() => vi.restoreAllMocks());

/** Numbers that look random and are the same each time. */
function* randoms(): Generator<number, never> {
  for (let seed = 1; ; seed = (seed * 16807) % 2147483647) yield seed / 2147483647;
}

function pauses(next: () => number): number[] {
  const numbers = randoms();
  vi.spyOn(Math, 'random').mockImplementation(() => numbers.next().value);
  return Array.from({ length: 40 }, next);
}

it.each([
  [1000, 5000, 0.5],
  [10, 100_000_000, 0.3],
  [333, 5000, 1],
  [100, 1000, 0],
])('pauses as socket.io-client does: from %d to %d ms, jitter %d', (min, max, jitter) => {
  const manager = new Manager('http://127.0.0.1:9', {
    autoConnect: false,
    reconnectionDelay: min,
    reconnectionDelayMax: max,
    randomizationFactor: jitter,
  });
  const { backoff: real } = manager as unknown as { backoff: { duration(): number } };
  const expected = pauses(() => real.duration());
  const backoff = new Backoff(min, max, jitter);
  expect(pauses(() => backoff.next())).toEqual(expected);
});
