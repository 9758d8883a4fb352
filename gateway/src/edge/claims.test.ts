import { describe, expect, test } from 'vitest';
import { ClaimError, principalOf } from './claims.js';

const paths = {
  jwtUserClaim: ['sub', 'userId', 'id', '_id'],
  jwtUsernameClaim: ['username', 'preferred_username', 'name'],
  jwtRolesClaim: ['roles', 'role', 'realm_access.roles'],
};

describe('user id', () => {
  test.each([
    [{ sub: 'auth0|123' }, 'auth0|123'],
    [{ sub: 42 }, '42'],
    [{ _id: 'm', id: 'i' }, 'i'],
    [{ sub: { no: 'text' }, userId: 7 }, '7'],
  ])('%j is %s', (claims, userId) => {
    expect(principalOf(claims, paths).userId).toBe(userId);
  });

  test.each([
    {},
    { sub: '' },
    { sub: 'a\nb' },
    { sub: 'x'.repeat(191) },
    { sub: '\ud800' },
    { sub: 2 ** 60 },
    { sub: 1.5 },
    { sub: null },
  ])('%j is refused', (claims) => {
    expect(() => principalOf(claims, paths)).toThrow(ClaimError);
  });
});

describe('user name', () => {
  test.each([
    [{ sub: 'u', username: 'Ann' }, 'Ann'],
    [{ sub: 'u', username: '', name: 'Ann' }, 'Ann'],
    [{ sub: 'u', name: 'A\u0007nn' }, 'Ann'],
    [{ sub: 'u', name: ['Ann'] }, 'u'],
    [{ sub: 'u', name: 'x'.repeat(500) }, 'x'.repeat(200)],
    [{ sub: 9 }, '9'],
  ])('%j', (claims, username) => {
    expect(principalOf(claims, paths).username).toBe(username);
  });
});

describe('roles', () => {
  test.each([
    [{ roles: ['admin', 'admin', 'two words'] }, ['admin', 'two words']],
    [{ roles: 'admin, editor viewer' }, ['admin', 'editor', 'viewer']],
    [{ role: 'admin' }, ['admin']],
    [{ realm_access: { roles: ['admin'] } }, ['admin']],
    [{ roles: ['a\n', 7, '', null, 'x'.repeat(300), 'b'] }, ['b']],
    [{ roles: { admin: true } }, []],
    [{}, []],
  ])('%j', (claims, roles) => {
    expect(principalOf({ sub: 'u', ...claims }, paths).roles).toEqual(roles);
  });

  test('too many are refused', () => {
    const roles = Array.from({ length: 201 }, (_, i) => `r${i}`);
    expect(() => principalOf({ sub: 'u', roles }, paths)).toThrow(ClaimError);
  });
});

test('expiry is in milliseconds and always a date', () => {
  expect(principalOf({ sub: 'u', exp: 1000 }, paths).expiresAt).toBe(1_000_000);
  expect(principalOf({ sub: 'u' }, paths).expiresAt).toBeUndefined();
  const { expiresAt } = principalOf({ sub: 'u', exp: 1e300 }, paths);
  expect(() => new Date(expiresAt ?? NaN).toISOString()).not.toThrow();
});
