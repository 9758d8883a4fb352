import { expect, test } from 'vitest';
import { claimAt } from './claims.js';

const claims = {
  sub: '42',
  realm_access: { roles: ['editor'] },
  resource_access: { 'my.app': { roles: ['author'] } },
  'https://example.com/roles': ['admin'],
};

test.each([
  ['sub', '42'],
  ['realm_access.roles', ['editor']],
  ['https://example.com/roles', ['admin']],
  ['resource_access.my.app.roles', ['author']],
  ['realm_access.groups', undefined],
  ['sub.length', undefined],
  ['__proto__', undefined],
  ['constructor.name', undefined],
  ['', undefined],
])('%s', (path, value) => {
  expect(claimAt(claims, path)).toEqual(value);
});
