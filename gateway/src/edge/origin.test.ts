import { expect, test } from 'vitest';
import { originAllowed } from './origin.js';

test.each([
  [['https://a.example'], 'https://a.example', true],
  [['https://a.example'], 'https://b.example', false],
  [['https://a.example'], 'https://a.example.evil.example', false],
  [['https://a.example'], 'http://a.example', false],
  [['https://a.example'], 'null', false],
  [['https://a.example'], undefined, true],
  [[], 'https://a.example', false],
  [[], undefined, true],
  [['*'], 'null', true],
])('%j, %s: %s', (allowed, origin, verdict) => {
  expect(originAllowed(allowed, origin)).toBe(verdict);
});
