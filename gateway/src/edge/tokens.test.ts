import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  exportJWK,
  exportPKCS8,
  exportSPKI,
  generateKeyPair,
  importPKCS8,
  SignJWT,
  UnsecuredJWT,
  type JWK,
  type JWTPayload,
} from 'jose';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { GatewayError } from '@streamgate/protocol/errors';
import { readConfig } from '../config.js';
import { JwksKeys } from './jwks.js';
import { TokenVerifier } from './tokens.js';

const SECRET = 'a secret that is long enough for HS256';
const OTHER = 'another secret, just as long as the first';
const opened: (() => unknown)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const close of opened.splice(0)) await close();
});

function verifier(env: Record<string, string>): TokenVerifier {
  const it = new TokenVerifier(readConfig({ STREAMGATE_MODE: 'development', ...env }));
  opened.push(() => it.close());
  return it;
}

const now = () => Math.floor(Date.now() / 1000);
const hs256 = (claims: JWTPayload, secret = SECRET, alg = 'HS256') =>
  new SignJWT(claims).setProtectedHeader({ alg }).sign(new TextEncoder().encode(secret));

async function refusalOf(tokens: TokenVerifier, token: string): Promise<GatewayError> {
  return tokens.verify(token).then(
    () => expect.fail('accepted'),
    (error: unknown) => error as GatewayError,
  );
}

describe('a secret', () => {
  const env = { STREAMGATE_JWT_SECRET: SECRET };

  test('gives the principal', async () => {
    const exp = now() + 60;
    const token = await hs256({ sub: 'u1', name: 'Ann', roles: ['admin'], exp });
    expect(await verifier(env).verify(token)).toMatchObject({
      userId: 'u1',
      username: 'Ann',
      roles: ['admin'],
      expiresAt: exp * 1000,
    });
  });

  test('and the one before it are both accepted', async () => {
    const tokens = verifier({ ...env, STREAMGATE_JWT_SECRET_PREVIOUS: OTHER });
    expect(await tokens.verify(await hs256({ sub: 'a' }))).toMatchObject({ userId: 'a' });
    expect(await tokens.verify(await hs256({ sub: 'b' }, OTHER))).toMatchObject({ userId: 'b' });
  });

  test.each([
    ['another secret', () => hs256({ sub: 'u' }, OTHER), 'authentication_failed'],
    ['another algorithm', () => hs256({ sub: 'u' }, SECRET, 'HS512'), 'authentication_failed'],
    ['no signature', async () => new UnsecuredJWT({ sub: 'u' }).encode(), 'authentication_failed'],
    ['expired', () => hs256({ sub: 'u', exp: now() - 60 }), 'token_expired'],
    ['not yet valid', () => hs256({ sub: 'u', nbf: now() + 60 }), 'authentication_failed'],
    ['no user', () => hs256({}), 'authentication_failed'],
    ['no token', async () => 'nonsense', 'authentication_failed'],
    ['nothing', async () => '', 'authentication_failed'],
    ['too long', () => hs256({ sub: 'u', x: 'x'.repeat(20_000) }), 'authentication_failed'],
  ])('refuses: %s', async (_, make, code) => {
    const token = await make();
    const error = await refusalOf(verifier(env), token);
    expect(error.code).toBe(code);
    // Only a text may go to the log, and nothing of the token in it.
    expect(['string', 'undefined']).toContain(typeof error.cause);
    for (const part of token.split('.').filter(Boolean))
      expect(`${error.message} ${String(error.cause)}`).not.toContain(part);
  });

  test('refuses deep nesting without falling over', async () => {
    const claims = `{"sub":"u","x":${'['.repeat(5500)}${']'.repeat(5500)}}`;
    const body = [`{"alg":"HS256"}`, claims].map((part) => Buffer.from(part).toString('base64url'));
    const error = await refusalOf(verifier(env), `${body.join('.')}.AAAA`);
    expect(error.code).toBe('authentication_failed');
  });

  test('allows for skewed clocks', async () => {
    const token = await hs256({ sub: 'u', exp: now() - 10, nbf: now() + 10 });
    await verifier({ ...env, STREAMGATE_JWT_LEEWAY_SECONDS: '20' }).verify(token);
  });

  test('checks issuer and audience when they are configured', async () => {
    const tokens = verifier({
      ...env,
      STREAMGATE_JWT_ISSUER: 'https://id',
      STREAMGATE_JWT_AUDIENCE: 'streamgate',
    });
    const good = { sub: 'u', iss: 'https://id', aud: ['x', 'streamgate'] };
    await tokens.verify(await hs256(good));
    for (const bad of [{ iss: 'https://evil' }, { aud: 'x' }, { aud: [] }]) {
      const token = await hs256({ ...good, ...bad });
      expect((await refusalOf(tokens, token)).code).toBe('authentication_failed');
    }
  });
});

describe('remembered tokens', () => {
  test('10,000 reconnects cost one signature check each token', async () => {
    const tokens = verifier({ STREAMGATE_JWT_SECRET: SECRET });
    const [a, b] = [await hs256({ sub: 'a' }), await hs256({ sub: 'b' })];
    await Promise.all(Array.from({ length: 10_000 }, (_, i) => tokens.verify(i % 2 ? a : b)));
    expect(tokens.signatureChecks).toBe(2);
    expect(tokens.cached(a)).toBe(await tokens.verify(a));
    expect(tokens.signatureChecks).toBe(2);
  });

  test('end with the token, and after five minutes in any case', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const tokens = verifier({ STREAMGATE_JWT_SECRET: SECRET });
    const short = await hs256({ sub: 'a', exp: now() + 60 });
    const long = await hs256({ sub: 'b' });
    await tokens.verify(short);
    await tokens.verify(long);
    vi.setSystemTime(Date.now() + 70_000);
    expect(tokens.cached(short)).toBeUndefined();
    expect((await refusalOf(tokens, short)).code).toBe('token_expired');
    expect(tokens.cached(long)).toBeDefined();
    vi.setSystemTime(Date.now() + 300_000);
    expect(tokens.cached(long)).toBeUndefined();
  });

  test('refusals are not remembered', async () => {
    const tokens = verifier({ STREAMGATE_JWT_SECRET: SECRET });
    const token = await hs256({ sub: 'a' }, OTHER);
    await refusalOf(tokens, token);
    expect(tokens.cached(token)).toBeUndefined();
  });
});

describe('a public key', () => {
  test.each([
    ['RS256', ['RS256', 'PS384', 'RS512']],
    ['ES256', ['ES256']],
    ['ES384', ['ES384']],
    ['ES512', ['ES512']],
    ['EdDSA', ['EdDSA']],
  ])('of %s', async (kind, algorithms) => {
    const pair = await generateKeyPair(kind, { extractable: true });
    const pem = await exportSPKI(pair.publicKey);
    const tokens = verifier({ STREAMGATE_JWT_PUBLIC_KEY: pem.replaceAll('\n', '\\n') });
    const pkcs8 = await exportPKCS8(pair.privateKey);
    for (const alg of algorithms) {
      const token = await new SignJWT({ sub: alg })
        .setProtectedHeader({ alg })
        .sign(await importPKCS8(pkcs8, alg));
      expect(await tokens.verify(token)).toMatchObject({ userId: alg });
    }
    // The public key taken for a secret: the oldest trick.
    expect((await refusalOf(tokens, await hs256({ sub: 'u' }, pem))).code).toBe(
      'authentication_failed',
    );
  });

  test('that is unusable stops the start and is not shown', async () => {
    const pair = await generateKeyPair('ES256', { extractable: true });
    const pem = await exportPKCS8(pair.privateKey);
    expect(() => verifier({ STREAMGATE_JWT_PUBLIC_KEY: pem })).toThrow(
      'STREAMGATE_JWT_PUBLIC_KEY: this is a private key, a public one is wanted',
    );
    expect(() => verifier({ STREAMGATE_JWT_PUBLIC_KEY: '-----BEGIN nonsense' })).toThrow(
      'STREAMGATE_JWT_PUBLIC_KEY: not a public key in PEM form',
    );
  });
});

/** A key server whose answer a test changes. */
async function keyServer() {
  const it = {
    url: '',
    fetches: 0,
    keys: [] as JWK[],
    answer: (response: ServerResponse) => void response.end(JSON.stringify({ keys: it.keys })),
    server: undefined as unknown as Server,
  };
  it.server = createServer((_, response) => {
    it.fetches++;
    it.answer(response);
  });
  await once(it.server.listen(0, '127.0.0.1'), 'listening');
  it.url = `http://127.0.0.1:${(it.server.address() as AddressInfo).port}/jwks`;
  opened.push(() => it.server.close().closeAllConnections());
  return it;
}

async function signer(kid: string, alg = 'ES256') {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return {
    jwk: { ...(await exportJWK(publicKey)), kid },
    sign: (sub: string, header = {}) =>
      new SignJWT({ sub }).setProtectedHeader({ alg, kid, ...header }).sign(privateKey),
  };
}

describe('a key set', () => {
  test('is fetched once, and its keys outlive the key server', async () => {
    const [server, key] = [await keyServer(), await signer('k1')];
    const rsa = await signer('k2', 'RS256');
    server.keys = [key.jwk, rsa.jwk, { kty: 'oct', k: 'AAAA', kid: 'k3' }, { kty: 'XX' }];
    const tokens = verifier({ STREAMGATE_JWT_JWKS_URL: server.url });
    expect(await tokens.verify(await key.sign('a'))).toMatchObject({ userId: 'a' });
    expect(await tokens.verify(await rsa.sign('b'))).toMatchObject({ userId: 'b' });
    expect(await tokens.verify(await key.sign('c', { kid: undefined }))).toBeDefined();
    server.server.close().closeAllConnections();
    expect(await tokens.verify(await key.sign('d'))).toMatchObject({ userId: 'd' });
    const unknown = await refusalOf(tokens, await (await signer('k4')).sign('e'));
    expect(unknown.code).toBe('jwks_unavailable');
    expect(unknown.retryAfterMs).toBeGreaterThan(0);
    expect(server.fetches).toBe(1);
  });

  test('an unknown key causes one fetch, then none until the cooldown is over', async () => {
    const [server, first, second] = [await keyServer(), await signer('k1'), await signer('k2')];
    server.keys = [first.jwk];
    const tokens = verifier({ STREAMGATE_JWT_JWKS_URL: server.url });
    await tokens.verify(await first.sign('a'));
    server.keys = [second.jwk];
    const [rotated, old] = [await second.sign('b'), await first.sign('c')];
    expect(await tokens.verify(rotated)).toMatchObject({ userId: 'b' });
    expect(server.fetches).toBe(2);
    const fetched = Date.now();
    await vi.waitUntil(() => Date.now() > fetched, { interval: 1 });
    // Removed by the rotation, but this cannot be known to be the latest set.
    expect((await refusalOf(tokens, old)).code).toBe('jwks_unavailable');
    for (let i = 0; i < 20; i++) await refusalOf(tokens, await (await signer(`x${i}`)).sign('x'));
    expect(server.fetches).toBe(2);
  });

  test('a key that the server does not know is finally refused', async () => {
    const [server, first, other] = [await keyServer(), await signer('k1'), await signer('k2')];
    server.keys = [first.jwk];
    const tokens = verifier({ STREAMGATE_JWT_JWKS_URL: server.url });
    await tokens.verify(await first.sign('a'));
    for (let i = 0; i < 3; i++)
      expect((await refusalOf(tokens, await other.sign(`b${i}`))).code).toBe(
        'authentication_failed',
      );
    expect(server.fetches).toBe(2);
  });

  test('algorithms that no public key has cause no fetch', async () => {
    const server = await keyServer();
    const tokens = verifier({ STREAMGATE_JWT_JWKS_URL: server.url });
    expect((await refusalOf(tokens, await hs256({ sub: 'u' }))).code).toBe('authentication_failed');
  });

  test('`alg` of the key narrows what its type allows', async () => {
    const [server, key] = [await keyServer(), await signer('k1', 'RS256')];
    server.keys = [{ ...key.jwk, alg: 'RS512' }];
    const tokens = verifier({ STREAMGATE_JWT_JWKS_URL: server.url });
    expect((await refusalOf(tokens, await key.sign('a'))).code).toBe('authentication_failed');
  });

  test('comes back when the key server does', async () => {
    const [server, key] = [await keyServer(), await signer('k1')];
    const good = server.answer;
    server.answer = (response) => void response.writeHead(500).end();
    const keys = new JwksKeys(server.url, {
      refreshMs: 60_000,
      cooldownMs: 20,
      retryMs: 5,
      timeoutMs: 1000,
    });
    opened.push(() => keys.close());
    await expect(keys.keysFor('k1', 'ES256')).rejects.toMatchObject({ code: 'jwks_unavailable' });
    server.keys = [key.jwk];
    server.answer = good;
    await vi.waitUntil(() => keys.keysFor('k1', 'ES256').catch(() => undefined));
    expect(await keys.keysFor('k1', 'ES256')).toHaveLength(1);
  });

  test.each([
    ['hangs', () => undefined],
    ['is too large', (response: ServerResponse) => void response.end(`"${'x'.repeat(300_000)}"`)],
    ['is no JSON', (response: ServerResponse) => void response.end('<html>')],
    ['is no key set', (response: ServerResponse) => void response.end('{"keys":7}')],
    [
      'redirects',
      (response: ServerResponse) => void response.writeHead(302, { location: '/' }).end(),
    ],
  ])('an answer that %s is a failure, in bounded time', async (_, answer) => {
    const server = await keyServer();
    server.answer = answer;
    const keys = new JwksKeys(server.url, {
      refreshMs: 60_000,
      cooldownMs: 60_000,
      retryMs: 60_000,
      timeoutMs: 100,
    });
    opened.push(() => keys.close());
    await expect(keys.keysFor('k1', 'ES256')).rejects.toMatchObject({ code: 'jwks_unavailable' });
    expect(server.fetches).toBe(1);
  });
});

test('RSA under 2048 bits is refused', () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  expect(() => verifier({ STREAMGATE_JWT_PUBLIC_KEY: pem })).toThrow('2048 bits');
});
