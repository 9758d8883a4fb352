import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TokenVerifier } from '../../edge/tokens.js';
import { readConfig } from '../../config.js';
import { type Door, openDoor } from '../../../test/rest-door.js';
import { SECRET } from '../../../test/node.js';

const DEVELOPMENT = { STREAMGATE_MODE: 'development' };

describe('in development', () => {
  let door: Door;
  beforeAll(async () => void (door = await openDoor(DEVELOPMENT)));
  afterAll(() => door.close());

  test('the page comes from this node alone, without inline script', async () => {
    const response = await fetch(`${door.url}/console`);
    expect(response.url).toBe(`${door.url}/console/`);
    expect(response.headers.get('cache-control')).toBe('no-cache');
    expect(response.headers.get('content-security-policy')?.split(';')).toEqual([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self'",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    ]);
    const page = await response.text();
    expect(page).not.toMatch(/<script(?![^>]* src=)|<style| style=| on\w+=/);
    const files = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = '']) => file);
    expect(files).toHaveLength(3);
    for (const file of files) {
      expect(file).toMatch(/^\/console\/assets\/\w+-[\w-]{8}\.(js|css|svg)$/);
      const asset = await fetch(door.url + file);
      await asset.arrayBuffer();
      expect(asset.status).toBe(200);
      expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    }
  });

  test('a page that did not change is not sent again', async () => {
    const first = await fetch(`${door.url}/console/`);
    const etag = first.headers.get('etag')!;
    await first.text();
    const again = await asked(door.url, '/console/', { 'if-none-match': etag });
    expect(again.status).toBe(304);
  });

  test('files outside the page are not there', async () => {
    for (const path of ['/console/../package.json', '/console/%2e%2e/package.json', '/console/x'])
      expect((await asked(door.url, path)).status).toBe(404);
  });

  test('a token for a name, which this node accepts', async () => {
    expect(await settings(door.url)).toEqual({ mode: 'development', tokens: true });
    const { status, body } = await askToken(door.url, { userId: 'alice', roles: ['teacher'] });
    expect(status).toBe(200);
    const { token } = JSON.parse(body) as { token: string };
    const tokens = new TokenVerifier(readConfig({ STREAMGATE_JWT_SECRET: SECRET }));
    expect(await tokens.verify(token)).toMatchObject({
      userId: 'alice',
      username: 'alice',
      roles: ['teacher'],
    });
    tokens.close();
  });

  test.each([{}, { userId: '' }, { userId: 'a', roles: 'admin' }, { userId: 'x'.repeat(201) }])(
    'no token for %j',
    async (body) => {
      expect((await askToken(door.url, body)).status).toBe(400);
    },
  );

  test.each<[string, Record<string, string>]>([
    ["another site's page", { origin: 'https://evil.example.com' }],
    ['another port of this machine', { origin: 'http://localhost:1' }],
    ['a name that points here', { host: 'evil.example.com' }],
    ['a proxy', { 'x-forwarded-for': '127.0.0.1' }],
    ['another proxy', { forwarded: 'for=127.0.0.1' }],
    ['nginx that was told of the client', { 'x-real-ip': '127.0.0.1' }],
    ['a proxy that names itself', { via: '1.1 proxy' }],
  ])('no token for %s', async (_, headers) => {
    expect((await askToken(door.url, { userId: 'alice' }, headers)).status).toBe(403);
    const { body } = await asked(door.url, '/console/settings', headers);
    expect(JSON.parse(body)).toMatchObject({ tokens: false });
  });

  test('the page itself names its own origin', async () => {
    const headers = { origin: door.url };
    expect((await askToken(door.url, { userId: 'alice' }, headers)).status).toBe(200);
  });
});

describe('in production', () => {
  test('it is not there', async () => {
    const door = await openDoor();
    try {
      for (const path of ['/console', '/console/', '/console/settings'])
        expect((await fetch(door.url + path)).status).toBe(404);
      expect((await askToken(door.url, { userId: 'alice' })).status).toBe(404);
    } finally {
      await door.close();
    }
  });

  test('once enabled it is there, and makes no tokens', async () => {
    const door = await openDoor({ STREAMGATE_CONSOLE: 'on' });
    try {
      expect((await fetch(`${door.url}/console`)).status).toBe(200);
      expect(await settings(door.url)).toEqual({ mode: 'production', tokens: false });
      expect((await askToken(door.url, { userId: 'alice' })).status).toBe(404);
    } finally {
      await door.close();
    }
  });
});

test('off in development too, when told so', async () => {
  const door = await openDoor({ ...DEVELOPMENT, STREAMGATE_CONSOLE: 'off' });
  try {
    expect((await fetch(`${door.url}/console`)).status).toBe(404);
    expect((await askToken(door.url, { userId: 'alice' })).status).toBe(404);
  } finally {
    await door.close();
  }
});

test('no tokens where somebody else signs them', async () => {
  const jwks = { STREAMGATE_JWT_SECRET: '', STREAMGATE_JWT_JWKS_URL: 'http://127.0.0.1:1/keys' };
  const door = await openDoor({ ...DEVELOPMENT, ...jwks });
  try {
    expect(await settings(door.url)).toEqual({ mode: 'development', tokens: false });
    expect((await askToken(door.url, { userId: 'alice' })).status).toBe(404);
  } finally {
    await door.close();
  }
});

async function settings(url: string): Promise<unknown> {
  return (await fetch(`${url}/console/settings`)).json();
}

function askToken(url: string, body: unknown, headers: Record<string, string> = {}) {
  return asked(url, '/console/token', headers, JSON.stringify(body));
}

/** As it stands: `fetch` resolves the path, keeps `Host` to itself and wants nothing from a cache. */
function asked(url: string, path: string, headers: Record<string, string> = {}, body?: string) {
  const { hostname, port } = new URL(url);
  const method = body === undefined ? 'GET' : 'POST';
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const request = httpRequest(
      { hostname, port, path, method, headers: { 'content-type': 'application/json', ...headers } },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode!, body: text }));
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}
