import { expect, test } from 'vitest';
import { presentedToken } from './presented-token.js';

test.each([
  ['auth first', { token: 'a' }, 'Bearer b', { token: 'c' }, 'a'],
  ['header second', {}, 'Bearer b', { token: 'c' }, 'b'],
  ['query last', {}, undefined, { token: 'c' }, 'c'],
  ['a header value in auth', { token: 'Bearer a' }, undefined, {}, 'a'],
  ['a header value in the query', {}, undefined, { token: 'bearer  c ' }, 'c'],
  ['another scheme', {}, 'Basic b', {}, undefined],
  ['a token that is no text', { token: ['a'] }, undefined, { token: 7 }, undefined],

  ['no auth at all', null, undefined, undefined, undefined],
  ['an inherited name', Object.create({ token: 'a' }), undefined, {}, undefined],
])('%s', (_, auth, authorization, query, token) => {
  expect(presentedToken({ auth, headers: { authorization }, query })).toBe(token);
});
