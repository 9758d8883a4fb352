import { expect, test } from 'vitest';
import { hasRole, type Principal } from './principal.js';

const principal = (...roles: string[]): Principal => ({
  userId: '42',
  username: 'ann',
  roles,
  claims: {},
  expiresAt: undefined,
});

test.each([
  { has: ['ADMIN'], wanted: ['admin', 'service'], enough: true },
  { has: ['service'], wanted: ['Admin', 'SERVICE'], enough: true },
  { has: ['student'], wanted: ['admin'], enough: false },
  { has: [], wanted: ['*'], enough: true },
  { has: ['*'], wanted: ['admin'], enough: false },
  { has: ['admin'], wanted: [], enough: false },
])('$has for $wanted: $enough', ({ has, wanted, enough }) => {
  expect(hasRole(principal(...has), wanted)).toBe(enough);
});
