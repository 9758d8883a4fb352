import { expect, test } from 'vitest';
import { principalOf } from '../../test/sessions.js';
import { authenticate } from './authenticate.js';

const tokens = { verify: async (id: string) => principalOf({ id }) };

test.each([
  ['/chat', { userId: '1' }, {}],
  ['/chat', {}, { userId: 1 }],
  ['/chat', {}, {}],
  ['/', { userId: '2' }, {}],
])('on %s a query %j and an auth %j are of user 1', async (namespace, query, auth) => {
  const handshake = { auth: { token: '1', ...auth }, headers: {}, query };
  expect(await authenticate(tokens, namespace, handshake)).toMatchObject({ userId: '1' });
});

test.each([
  [{ userId: '2' }, {}],
  [{ userId: ['1', '1'] }, {}],
  [{ userId: '' }, {}],
  [{ userId: '1' }, { userId: 2 }],
])('on /chat a query %j and an auth %j are not', async (query, auth) => {
  const handshake = { auth: { token: '1', ...auth }, headers: {}, query };
  await expect(authenticate(tokens, '/chat', handshake)).rejects.toMatchObject({
    code: 'user_mismatch',
  });
});

test.each([
  [{ userId: '1' }, {}],
  [{}, { userId: 1 }],
])('insecurely, on /chat a query %j and an auth %j are believed', async (query, auth) => {
  const handshake = { auth, headers: {}, query };
  expect(await authenticate(tokens, '/chat', handshake, true)).toMatchObject({
    userId: '1',
    username: '1',
    roles: [],
  });
});

test.each([
  ['/', { userId: '1' }, {}, 'authentication_failed'],
  ['/chat', {}, {}, 'authentication_failed'],
  ['/chat', { userId: '' }, {}, 'authentication_failed'],
  ['/chat', { userId: ['1'] }, {}, 'authentication_failed'],
  ['/chat', { userId: '1' }, { userId: 2 }, 'user_mismatch'],
  ['/chat', { userId: '1' }, { token: '2' }, 'user_mismatch'],
])('insecurely, on %s a query %j and an auth %j are %s', async (namespace, query, auth, code) => {
  const handshake = { auth, headers: {}, query };
  await expect(authenticate(tokens, namespace, handshake, true)).rejects.toMatchObject({ code });
});

test('without a token it is nobody', async () => {
  const handshake = { auth: {}, headers: {}, query: { userId: '1' } };
  await expect(authenticate(tokens, '/chat', handshake)).rejects.toMatchObject({
    code: 'authentication_failed',
  });
});
