import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { decodeJwt, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import type { Config } from '../gateway/dist/config.js';
import { developmentDefaults, freePort, tokenLines } from './development.ts';

describe('what make run adds to the environment', () => {
  test('development mode and a secret of this run', () => {
    const first = developmentDefaults({});
    expect(first.STREAMGATE_MODE).toBe('development');
    expect(first.STREAMGATE_JWT_SECRET).toMatch(/^[\w-]{43}$/);
    expect(developmentDefaults({}).STREAMGATE_JWT_SECRET).not.toBe(first.STREAMGATE_JWT_SECRET);
  });

  test.each([
    ['a secret', { STREAMGATE_JWT_SECRET: 'mine' }],
    ['a mounted secret', { STREAMGATE_JWT_SECRET_FILE: '/run/secrets/jwt' }],
    ['a key set', { STREAMGATE_JWT_JWKS_URL: 'https://id.example.com/keys' }],
  ])('no secret where there is %s', (_name, env) => {
    expect(developmentDefaults(env)).toEqual({ STREAMGATE_MODE: 'development' });
  });

  test('no secret in production, which refuses to start without one', () => {
    const env = { STREAMGATE_MODE: 'production' };
    expect(developmentDefaults(env)).toEqual(env);
  });
});

test('a taken port gives way to a free one', async () => {
  const other = createServer().listen(0);
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  expect(await freePort(port)).not.toBe(port);
  other.close();
  await once(other, 'close');
  expect(await freePort(port)).toBe(port);
});

describe('tokens to paste', () => {
  const config = {
    jwtSecret: 'a secret that is long enough for this',
    jwtIssuer: 'here',
    jwtAudience: 'there',
    jwtUserClaim: ['user.id'],
    jwtUsernameClaim: ['username'],
    jwtRolesClaim: ['roles'],
  } as unknown as Config;

  test('are what this configuration lets in', async () => {
    const lines = (await tokenLines(config)) ?? '';
    const tokens = Object.fromEntries(
      [...lines.matchAll(/^export (\w+)=(\S+)$/gm)].map(([, name, token]) => [name, token ?? '']),
    );
    expect(Object.keys(tokens)).toEqual(['ALICE', 'ADMIN', 'SERVICE']);
    expect(decodeJwt(tokens.SERVICE ?? '').roles).toEqual(['service']);
    const key = new TextEncoder().encode(config.jwtSecret);
    const { payload } = await jwtVerify(tokens.ALICE ?? '', key, {
      issuer: 'here',
      audience: 'there',
    });
    expect(payload).toMatchObject({ user: { id: 'alice' }, username: 'alice', roles: [] });
  });

  test('are not made where somebody else signs', async () => {
    expect(await tokenLines({ ...config, jwtSecret: undefined })).toBeUndefined();
  });
});
