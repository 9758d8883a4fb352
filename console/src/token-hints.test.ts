import { expect, test } from 'vitest';
import { whyRefused } from './token-hints.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');

function token(claims: unknown): string {
  return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
}

test.each([
  ['', /not a JWT: it has 1 of three parts/],
  ['a.b', /it has 2 of three parts/],
  ['a.%%%.c', /cannot be read/],
  [token('text'), /cannot be read/],
  [token({ exp: NOW / 1000 - 1 }), /expired on/],
  [token({ nbf: NOW / 1000 + 60 }), /not valid before/],
])('%s', (text, reason) => {
  expect(whyRefused(text, NOW)).toMatch(reason);
});

test('nothing to see in a token that is fine, names of all scripts included', () => {
  expect(whyRefused(token({ sub: 'Žofie 🐎', exp: NOW / 1000 + 1 }), NOW)).toBeUndefined();
});
