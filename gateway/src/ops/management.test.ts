import { request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BackplaneHealth } from '../backplane/backplane.js';
import type { DrainControl, DrainStatus } from './drain-control.js';
import { log } from './log.js';
import type { ManagementNeeds } from './needs.js';
import { startManagement, type Management } from './management.js';
import { exposition } from './exposition.js';

/** A small drain of ten sessions that are moved off when the test says so. */
class TenSessions implements DrainControl {
  state: DrainStatus['state'] = 'serving';
  remaining = 10;
  readonly asked: unknown[] = [];

  start(options: { seconds?: number } = {}): DrainStatus {
    this.asked.push(options);
    this.state = 'draining';
    return this.status();
  }

  abort(): DrainStatus {
    this.state = 'serving';
    return this.status();
  }

  status(): DrainStatus {
    return { state: this.state, remaining: this.remaining, rate: 0, etaSeconds: 0 };
  }

  shed(options: { sessions?: number; percent?: number; seconds: number }) {
    this.asked.push(options);
    const sessions = options.sessions ?? (this.remaining * (options.percent ?? 0)) / 100;
    return { sessions, rate: sessions / options.seconds, etaSeconds: options.seconds };
  }
}

const TOKEN = 'an admin token for tests';
const UP: BackplaneHealth = { up: true, since: 0, reason: undefined, warnings: [] };
const AWAY: BackplaneHealth = { ...UP, up: false, reason: 'connection refused' };

let drain: TenSessions;
let health: BackplaneHealth;
let management: Management;

interface Settings {
  readyWithoutRedis?: boolean;
  adminToken?: string;
  database?: NonNullable<ManagementNeeds['database']>;
}

async function start(settings: Settings = {}) {
  management = await startManagement({
    config: {
      host: '0.0.0.0',
      managementPort: 0,
      readyWithoutRedis: settings.readyWithoutRedis ?? true,
      adminToken: settings.adminToken,
    },
    health: () => health,
    ...(settings.database && { database: settings.database }),
    drain,
  });
}

interface Answer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  body: Record<string, unknown>;
}

interface Ask {
  method?: string;
  body?: string;
  headers?: Record<string, string>;
  /** Address of the caller, and the one that is called. */
  from?: string | undefined;
}

/** Where a mesh's sidecar calls from; not every system has it, all have an address of their own. */
const ELSEWHERE =
  process.platform === 'linux'
    ? '127.0.0.6'
    : Object.values(networkInterfaces())
        .flatMap((addresses) => addresses ?? [])
        .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

function ask(path: string, { method = 'GET', body, headers = {}, from = '127.0.0.1' }: Ask = {}) {
  return new Promise<Answer>((resolve, reject) => {
    const { port } = new URL(management.url);
    const options = { host: from, port, path, method, headers, localAddress: from };
    const call = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: text.startsWith('{') ? (JSON.parse(text) as Answer['body']) : { text },
        }),
      );
    });
    call.on('error', reject);
    call.end(body);
  });
}

const level = log.level;
beforeAll(() => {
  log.level = 'silent';
});
afterAll(() => {
  log.level = level;
});
beforeEach(() => {
  drain = new TenSessions();
  health = UP;
});
afterEach(() => management.close());

describe('health', () => {
  it.each([
    ['serving', () => {}, true, 200, 'ok'],
    ['draining', () => drain.start(), true, 503, 'error'],
    ['Redis away', () => (health = AWAY), true, 200, 'degraded'],
    ['Redis away, and that matters', () => (health = AWAY), false, 503, 'error'],
  ])('%s', async (_, arrange, readyWithoutRedis, status, says) => {
    await start({ readyWithoutRedis });
    arrange();
    expect(await ask('/health/ready')).toMatchObject({ status, body: { status: says } });
    expect(await ask('/health/live')).toMatchObject({ status: 200, body: { status: 'ok' } });
  });

  it('has started once the backplane was there, and stays so', async () => {
    health = AWAY;
    await start();
    expect(await ask('/health/started')).toMatchObject({
      status: 503,
      body: { error: { backplane: { status: 'down', reason: 'connection refused' } } },
    });
    health = UP;
    expect(await ask('/health/started')).toMatchObject({ status: 200 });
    health = AWAY;
    expect(await ask('/health/started')).toMatchObject({ status: 200 });
  });

  it('says what is not well', async () => {
    await start();
    health = AWAY;
    drain.start();
    expect((await ask('/health/ready')).body.details).toEqual({
      node: { status: 'down', state: 'draining', remaining: 10 },
      backplane: {
        status: 'degraded',
        reason: 'connection refused',
        since: '1970-01-01T00:00:00.000Z',
      },
    });
  });

  it('a database that is away makes no node unready: all but chat works', async () => {
    let up = false;
    const since = new Date(0);
    const reason = 'connection refused';
    await start({ database: () => ({ up, since, reason: up ? undefined : reason }) });
    expect(await ask('/health/ready')).toMatchObject({
      status: 200,
      body: {
        status: 'degraded',
        info: { database: { status: 'degraded', reason, since: '1970-01-01T00:00:00.000Z' } },
      },
    });
    expect((await ask('/metrics')).body.text).toContain('streamgate_database_up 0');
    up = true;
    expect(await ask('/health/ready')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect((await ask('/metrics')).body.text).toContain('streamgate_database_up 1');
  });

  it('shows warnings about Redis, and is ready again after an aborted drain', async () => {
    await start();
    health = { ...UP, warnings: ['maxmemory-policy is allkeys-lru'] };
    drain.start();
    await ask('/admin/drain', { method: 'DELETE' });
    expect(await ask('/health/ready')).toMatchObject({
      status: 200,
      body: { details: { backplane: { warnings: health.warnings } } },
    });
  });
});

describe('drain and shed', () => {
  beforeEach(() => start());

  it.each([
    ['no body', undefined, {}],
    ['an empty object', '{}', {}],
    ['seconds', '{"seconds": 5}', { seconds: 5 }],
  ])('starts with %s', async (_, body, asked) => {
    const answer = await ask('/admin/drain', { method: 'POST', ...(body && { body }) });
    expect(answer).toMatchObject({ status: 202, body: { state: 'draining', remaining: 10 } });
    expect(drain.asked).toEqual([asked]);
  });

  it('reads a body whatever `curl -d` calls it', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    await ask('/admin/drain', { method: 'POST', body: '{"seconds": 5}', headers });
    expect(drain.asked).toEqual([{ seconds: 5 }]);
  });

  it('tells how far it is, and stops it', async () => {
    drain.start();
    drain.remaining = 3;
    expect((await ask('/admin/drain')).body).toMatchObject({ state: 'draining', remaining: 3 });
    const answer = await ask('/admin/drain', { method: 'DELETE' });
    expect(answer).toMatchObject({ status: 200, body: { state: 'serving' } });
  });

  it.each([
    ['{"percent": 50, "seconds": 5}', 5],
    ['{"sessions": 3, "seconds": 5}', 3],
  ])('sheds %s', async (body, sessions) => {
    const answer = await ask('/admin/shed', { method: 'POST', body });
    expect(answer).toMatchObject({ status: 202, body: { sessions, etaSeconds: 5 } });
  });

  it.each([
    ['/admin/drain', '{"seconds": -1}', /^seconds: /],
    ['/admin/drain', '{"second": 5}', /^only seconds is known here$/],
    ['/admin/drain', '{"seconds": "5"}', /^seconds: /],
    ['/admin/drain', '[]', /./],
    ['/admin/drain', '{"seconds": ', /^Invalid payload$/],
    ['/admin/shed', undefined, /./],
    ['/admin/shed', '{"seconds": 5}', /^give sessions or percent$/],
    ['/admin/shed', '{"percent": 1, "sessions": 1, "seconds": 5}', /^give sessions or percent$/],
    ['/admin/shed', '{"percent": 101, "seconds": 5}', /^percent: /],
    ['/admin/shed', '{"sessions": 1}', /^seconds: /],
  ])('POST %s %s is refused', async (path, body, detail) => {
    const answer = await ask(path, { method: 'POST', ...(body && { body }) });
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.body).toMatchObject({ status: 400, code: 'invalid_payload', retryable: false });
    expect(answer.body.detail).toMatch(detail);
    expect(drain.asked).toEqual([]);
  });
});

describe('log level', () => {
  beforeEach(() => start());
  afterEach(() => {
    log.level = 'silent';
  });

  it('changes at run time', async () => {
    const put = await ask('/admin/log-level', { method: 'PUT', body: '{"level": "debug"}' });
    expect(put).toMatchObject({ status: 200, body: { level: 'debug' } });
    expect(log.level).toBe('debug');
    expect((await ask('/admin/log-level')).body).toEqual({ level: 'debug' });
  });

  it('must exist', async () => {
    const put = await ask('/admin/log-level', { method: 'PUT', body: '{"level": "loud"}' });
    expect(put).toMatchObject({ status: 400, body: { code: 'invalid_payload' } });
    expect(log.level).toBe('silent');
  });
});

describe('who may ask', () => {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  it.each<[string, string | undefined, Ask, number, string?]>([
    ['loopback', undefined, {}, 200],
    ['loopback beside a token', TOKEN, {}, 200],
    ['loopback with a wrong token', TOKEN, { headers: bearer('wrong') }, 200],
    ['elsewhere without a token', undefined, { from: ELSEWHERE }, 403, 'forbidden'],
    [
      'elsewhere with one that is not configured',
      undefined,
      { from: ELSEWHERE, headers: bearer(TOKEN) },
      403,
      'forbidden',
    ],
    ['elsewhere with none', TOKEN, { from: ELSEWHERE }, 401, 'unauthorized'],
    [
      'elsewhere with a wrong one',
      TOKEN,
      { from: ELSEWHERE, headers: bearer(`${TOKEN}!`) },
      401,
      'unauthorized',
    ],
    [
      'elsewhere claiming loopback',
      undefined,
      { from: ELSEWHERE, headers: { 'x-forwarded-for': '127.0.0.1' } },
      403,
      'forbidden',
    ],
    ['elsewhere with the token', TOKEN, { from: ELSEWHERE, headers: bearer(TOKEN) }, 200],
    [
      'a proxy on this machine',
      undefined,
      { headers: { 'x-forwarded-for': '10.0.0.1' } },
      403,
      'forbidden',
    ],
    [
      'a page in a browser on this machine',
      undefined,
      { headers: { origin: 'https://evil.example' } },
      403,
      'forbidden',
    ],
  ])('%s', async (_, adminToken, how, status, code) => {
    await start(adminToken === undefined ? {} : { adminToken });
    const answer = await ask('/admin/drain', how);
    expect(answer.status).toBe(status);
    expect(answer.body.code).toBe(code);
    expect(answer.headers['www-authenticate']).toBe(status === 401 ? 'Bearer' : undefined);
  });

  it('health and metrics are open', async () => {
    await start({ adminToken: TOKEN });
    for (const path of ['/health/live', '/health/ready', '/metrics'])
      expect((await ask(path, { from: ELSEWHERE })).status).toBe(200);
  });
});

describe('anything else', () => {
  beforeEach(() => start());

  it('is not found', async () => {
    const answer = await ask('/admin/nothing?token=secret');
    expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(JSON.stringify(answer.body)).not.toContain('secret');
  });

  it('is too large', async () => {
    const answer = await ask('/admin/drain', { method: 'POST', body: ' '.repeat(5000) });
    expect(answer).toMatchObject({ status: 413, body: { code: 'payload_too_large' } });
  });

  it('is an internal error that says nothing', async () => {
    drain.start = () => {
      throw new Error('the inside');
    };
    const answer = await ask('/admin/drain', { method: 'POST' });
    expect(answer).toMatchObject({ status: 500, body: { code: 'internal' } });
    expect(JSON.stringify(answer.body)).not.toContain('the inside');
  });
});

describe('metrics', () => {
  const value = (name: string) =>
    [...exposition.all()].find((family) => family.name === name)?.samples()[0]?.value;

  it('tell of the drain and the backplane', async () => {
    await start();
    expect(value('streamgate_backplane_up')).toBe(1);
    expect(value('streamgate_draining')).toBe(0);
    expect(value('streamgate_drain_remaining_sessions')).toBe(0);
    health = { ...AWAY, warnings: ['AOF is off'] };
    drain.start();
    expect(value('streamgate_backplane_up')).toBe(0);
    expect(value('streamgate_backplane_warnings')).toBe(1);
    expect(value('streamgate_draining')).toBe(1);
    expect(value('streamgate_drain_remaining_sessions')).toBe(10);
  });

  it('are scraped as text', async () => {
    await start();
    const { status, headers, body } = await ask('/metrics');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/plain; charset=utf-8; version=0.0.4');
    expect(
      (await ask('/metrics', { headers: { accept: 'application/openmetrics-text' } })).headers,
    ).toMatchObject({ 'content-type': expect.stringContaining('application/openmetrics-text') });
    expect(body.text).toMatch(/^streamgate_heap_limit_bytes \d+$/m);
  });
});

it('does not start on a port that is taken', async () => {
  await start();
  const managementPort = Number(new URL(management.url).port);
  const config = {
    host: '0.0.0.0',
    managementPort,
    readyWithoutRedis: true,
    adminToken: undefined,
  };
  await expect(startManagement({ config, health: () => health, drain })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
});
