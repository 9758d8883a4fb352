import { expect, test } from 'vitest';
import { Proof } from './proof.js';

test('the heartbeat after the next one proves what was sent', () => {
  const proof = new Proof<string>();
  expect(proof.isEmpty).toBe(true);
  proof.sent('a');
  proof.sent('b');
  expect(proof.beat()).toEqual([]);
  proof.sent('c');
  expect(proof.beat()).toEqual(['a', 'b']);
  expect(proof.isEmpty).toBe(false);
  expect(proof.beat()).toEqual(['c']);
  expect(proof.isEmpty).toBe(true);
  expect(proof.beat()).toEqual([]);
});

test('forgets the oldest of what may be forgotten', () => {
  const proof = new Proof<string | number>(2, (item) => typeof item === 'string');
  for (const item of [1, 'a', 'b', 2, 'c', 'd']) proof.sent(item);
  expect(proof.beat()).toEqual([]);
  expect(proof.beat()).toEqual([1, 2, 'c', 'd']);
});
