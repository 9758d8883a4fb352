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
