import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OPERATIONS, Problem, type AnswerOf } from '@streamgate/protocol/rest';
import { TRUSTED, memoryExecutor } from '../../../test/executor.js';
import { next, openDoor, type Door } from '../../../test/rest-door.js';
import { tokenOf, type Person } from '../../../test/tokens.js';
import { metrics } from '../../ops/metrics.js';
import { openApiDocument } from './openapi.js';

const admin: Person = { id: 'boss', username: 'Boss', roles: ['ADMIN'] };
const plain: Person = { id: 'plain' };
const shownAdmin = { id: 'boss', username: 'Boss', roles: ['ADMIN'] };
const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;

let door: Door;
let token: string;
beforeAll(async () => {
  door = await openDoor({
    STREAMGATE_CORS_ORIGINS: 'https://app.example.com',
    STREAMGATE_MAX_PAYLOAD_BYTES: String(64 * 1024),
  });
  token = await tokenOf(admin);
});
afterAll(() => door.close());

async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const response = await fetch(door.url + path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: await json(response) };
}

async function json(response: Response): Promise<unknown> {
  const text = await response.text();
  return response.headers.get('content-type')?.includes('json') && text ? JSON.parse(text) : text;
}

type Called = Awaited<ReturnType<typeof call>>;

/** Checks that a problem document came, as its schema says. */
function expectProblem({ status, headers, body }: Called, wanted: number, code: string): Problem {
  expect(body).toMatchObject({ status: wanted, code });
  expect(status).toBe(wanted);
  expect(headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  const problem = Problem.strict().parse(body);
  expect(problem.detail).toBe(problem.message);
  expect(problem.type).toBe(`urn:streamgate:problem:${code}`);
  return problem;
}

describe('what never reaches the executor', () => {
  const counted = () =>
    ['invalid_payload', 'payload_too_large', 'unsupported_media_type'].map((code) =>
      metrics.commands.value(code),
    );

  test('is counted as a command where it asked for one', async () => {
    const before = counted();
    const text = { 'content-type': 'text/plain' };
    await call('POST', '/websocket/send-to-role', { role: 7 });
    await call('POST', '/api/gateway/send', '{"userId":');
    await call('POST', '/websocket/broadcast', { message: 'x'.repeat(65 * 1024) });
    await call('POST', '/v1/commands/', 'x', text);
    expect(counted()).toEqual([before[0]! + 2, before[1]! + 1, before[2]! + 1]);
  });

  test('and not where it asked for something else', async () => {
    const before = counted();
    await call('GET', '/api/gateway/connected?limit=none');
    await call('POST', '/nowhere', '{');
    expect(counted()).toEqual(before);
  });
});

describe('document 3', () => {
  test('POST /websocket/send-notification', async () => {
    const client = await door.connect({ id: 'n1' });
    const heard = next(client, 'notification');
    const answer = await call('POST', '/websocket/send-notification', {
      userId: 'n1',
      message: 'hello',
    });
    expect(answer).toMatchObject({
      status: 200,
      body: { success: true, message: 'Notification sent to user n1' },
    });
    expect(await heard).toEqual({ from: shownAdmin, message: 'hello', type: 'info', timestamp });
  });

  test('POST /websocket/send-notification to nobody', async () => {
    const body = { userId: 'absent', message: 'hello', type: 'warning' };
    expect(await call('POST', '/websocket/send-notification', body)).toMatchObject({
      status: 200,
      body: { success: false, message: 'User absent is not connected' },
    });
  });

  test('POST /websocket/broadcast', async () => {
    const clients = [await door.connect({ id: 'b1' }), await door.connect({ id: 'b2' })];
    const heard = Promise.all(clients.map((client) => next(client, 'broadcast-notification')));
    const answer = await call('POST', '/websocket/broadcast', { message: 'all', type: 'alert' });
    expect(answer).toMatchObject({
      status: 200,
      body: { success: true, message: 'Broadcast sent to all users' },
    });
    const payload = { from: shownAdmin, message: 'all', type: 'alert', timestamp };
    expect(await heard).toEqual([payload, payload]);
  });

  test('POST /websocket/send-to-role compares roles exactly', async () => {
    const teacher = await door.connect({ id: 't1', roles: ['teacher'] });
    const other = await door.connect({ id: 't2', roles: ['Teacher'] });
    const heardByOther: unknown[] = [];
    other.on('role-notification', (payload) => heardByOther.push(payload));
    const heard = next(teacher, 'role-notification');
    const answer = await call('POST', '/websocket/send-to-role', { role: 'teacher', message: 'x' });
    expect(answer).toMatchObject({
      status: 200,
      body: { success: true, message: 'Notification sent to role teacher' },
    });
    expect(await heard).toEqual({
      from: shownAdmin,
      message: 'x',
      type: 'info',
      targetRole: 'teacher',
      timestamp,
    });
    // What comes after it on the same connection shows that it did not come.
    const fence = next(other, 'fence');
    await call('POST', '/api/gateway/send', { userId: 't2', event: 'fence', message: 1 });
    await fence;
    expect(heardByOther).toEqual([]);
  });

  test('GET /websocket/active-users and /websocket/users-stats', async () => {
    const lone = await openDoor();
    try {
      await lone.connect({ id: 'u1', username: 'One', roles: ['student'] });
      await lone.connect({ id: 'u2', username: 'Two', roles: ['student', 'admin'] });
      await lone.connect({ id: 'u2', username: 'Two', roles: ['student', 'admin'] });
      const users = [
        { id: 'u1', username: 'One', roles: ['student'], sessions: 1, connectedAt: timestamp },
        {
          id: 'u2',
          username: 'Two',
          roles: ['student', 'admin'],
          sessions: 2,
          connectedAt: timestamp,
        },
      ];
      const stats = {
        totalUsers: 2,
        usersByRole: { student: 2, admin: 1 },
        connectionTimes: [
          { userId: 'u1', username: 'One', connectedAt: timestamp },
          { userId: 'u2', username: 'Two', connectedAt: timestamp },
        ],
      };
      const get = async (path: string) => {
        const headers = { authorization: `Bearer ${await tokenOf(plain)}` };
        return json(await fetch(lone.url + path, { headers }));
      };
      expect(await get('/websocket/active-users')).toEqual({ users, count: 2, stats });
      expect(await get('/websocket/users-stats')).toEqual(stats);

      const first = (await get('/websocket/active-users?limit=1')) as AnswerOf<'activeUsers'>;
      expect(first).toEqual({
        users: [users[0]],
        count: 2,
        nextCursor: expect.any(String) as string,
        stats: { ...stats, connectionTimes: [stats.connectionTimes[0]] },
      });
      const cursor = encodeURIComponent(first.nextCursor!);
      expect(await get(`/websocket/active-users?limit=1&cursor=${cursor}`)).toEqual({
        users: [users[1]],
        count: 2,
        stats: { ...stats, connectionTimes: [stats.connectionTimes[1]] },
      });

      expect(await get('/api/gateway/connected')).toEqual({
        connectedUsers: ['u1', 'u2'],
        count: 2,
      });
      expect(await get('/api/gateway/stats')).toEqual({ connectedUsers: 2, userIds: ['u1', 'u2'] });
      expect(await get('/api/gateway/connected?limit=1')).toEqual({
        connectedUsers: ['u1'],
        count: 2,
        nextCursor: first.nextCursor,
      });
    } finally {
      await lone.close();
    }
  });
});

describe('document 5', () => {
  const message = { title: 'New Message', body: 'You have a new message' };

  test('POST /api/gateway/send', async () => {
    const client = await door.connect({ id: '507f1f77bcf86cd799439011' });
    const heard = next(client, 'notification');
    const body = { userId: '507f1f77bcf86cd799439011', event: 'notification', message };
    expect(await call('POST', '/api/gateway/send', body)).toMatchObject({
      status: 200,
      body: { success: true, message: 'Message sent to user 507f1f77bcf86cd799439011' },
    });
    expect(await heard).toEqual(message);
  });

  test('POST /api/gateway/send to nobody', async () => {
    const body = { userId: '507f', event: 'notification', message };
    expect(await call('POST', '/api/gateway/send', body)).toMatchObject({
      status: 200,
      body: { success: false, message: 'User 507f is not connected' },
    });
  });

  test('a numeric id is its text', async () => {
    const client = await door.connect({ id: '42' });
    const heard = next(client, 'n');
    await call('POST', '/api/gateway/send', { userId: 42, event: 'n', message: 0 });
    expect(await heard).toBe(0);
  });

  test.each<[string, unknown]>([
    ['numbers', { big: 1e21, small: 5e-324, negative: -0.5, whole: 9007199254740991 }],
    ['text', 'žluťoučký 🐎 \u0000 \u2028'],
    ['null', null],
    ['names that JavaScript knows', { constructor: 1, prototype: { a: 1 }, toString: 'x' }],
    ['a list', [1, [2, [3]]]],
  ])('what arrives equals what was sent: %s', async (name, sent) => {
    const client = await door.connect({ id: `exact ${name}` });
    const heard = next(client, 'exact');
    await call('POST', '/api/gateway/send', {
      userId: `exact ${name}`,
      event: 'exact',
      message: sent,
    });
    expect(await heard).toEqual(sent);
  });

  test('__proto__ arrives as an ordinary key and touches nothing', async () => {
    const client = await door.connect({ id: 'proto' });
    const heard = next(client, 'exact');
    const sent = '{"__proto__":{"polluted":true},"a":{"__proto__":1}}';
    const body = `{"userId":"proto","event":"exact","message":${sent},"__proto__":{"userId":"x"}}`;
    expect(await call('POST', '/api/gateway/send', body)).toMatchObject({ status: 200 });
    expect(JSON.stringify(await heard)).toBe(sent);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('POST /api/gateway/send-many', async () => {
    const clients = [await door.connect({ id: 'm1' }), await door.connect({ id: 'm2' })];
    const heard = Promise.all(clients.map((client) => next(client, 'announcement')));
    const body = { userIds: ['m1', 'away', 'm2', 'm1'], event: 'announcement', message };
    expect(await call('POST', '/api/gateway/send-many', body)).toMatchObject({
      status: 200,
      body: {
        success: true,
        message: 'Message sent to 2 users',
        userIds: ['m1', 'm2'],
        notConnected: ['away'],
      },
    });
    expect(await heard).toEqual([message, message]);
  });

  test('POST /api/gateway/send-many to nobody', async () => {
    const body = { userIds: ['away1', 'away2'], event: 'announcement', message };
    expect(await call('POST', '/api/gateway/send-many', body)).toMatchObject({
      status: 200,
      body: {
        success: false,
        message: 'Message sent to 0 users',
        userIds: [],
        notConnected: ['away1', 'away2'],
      },
    });
  });

  test('GET /api/gateway/status/:userId', async () => {
    await door.connect({ id: 'auth0|here' });
    const status = async (id: string) =>
      (await call('GET', `/api/gateway/status/${encodeURIComponent(id)}`)).body;
    expect(await status('auth0|here')).toEqual({ userId: 'auth0|here', connected: true });
    expect(await status('nobody')).toEqual({ userId: 'nobody', connected: false });
  });

  test('join:room makes the sessions of the user join, and the client sees it', async () => {
    const client = await door.connect({ id: 'j1' });
    const joined = next(client, 'join:room');
    const answer = await call('POST', '/api/gateway/send', {
      userId: 'j1',
      event: 'join:room',
      message: { room: 'quiz:7' },
    });
    expect(answer).toMatchObject({ status: 200, body: { success: true } });
    expect(await joined).toEqual({ room: 'quiz:7' });
    const heard = next(client, 'user:joined');
    await memoryExecutor(door.backplane).execute(
      { action: 'emit', to: ['quiz:7'], event: 'user:joined', args: [{ userId: 'j1' }] },
      TRUSTED,
    );
    expect(await heard).toEqual({ userId: 'j1' });
  });
});

describe('who may', () => {
  const as = async (person: Person, method: string, path: string, body?: unknown) =>
    call(method, path, body, { authorization: `Bearer ${await tokenOf(person)}` });
  const body = { message: 'x' };

  test('no token', async () => {
    const answer = await call('GET', '/api/gateway/stats', undefined, { authorization: '' });
    expectProblem(answer, 401, 'unauthorized');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  test.each(['Bearer', 'Bearer  ', 'Basic YTpi', 'Bearer a b'])(
    'no bearer token: %s',
    async (authorization) => {
      const answer = await call('GET', '/api/gateway/stats', undefined, { authorization });
      expectProblem(answer, 401, 'unauthorized');
    },
  );

  test('a forged token', async () => {
    const forged = await tokenOf(admin, 60, 'x'.repeat(32));
    const answer = await call('GET', '/api/gateway/stats', undefined, {
      authorization: `Bearer ${forged}`,
    });
    expectProblem(answer, 401, 'authentication_failed');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    expect(JSON.stringify(answer.body)).not.toContain(forged.slice(0, 20));
  });

  test('an expired token', async () => {
    const authorization = `bearer ${await tokenOf(admin, -60)}`;
    const answer = await call('GET', '/api/gateway/stats', undefined, { authorization });
    expectProblem(answer, 401, 'token_expired');
  });

  test.each([['admin'], ['Admin'], ['SERVICE'], ['user', 'service']])(
    'roles %s may emit',
    async (...roles) => {
      expect(await as({ id: 's', roles }, 'POST', '/websocket/broadcast', body)).toMatchObject({
        status: 200,
      });
    },
  );

  test.each([[], ['user'], ['administrator'], ['*']])('roles %s may not emit', async (...roles) => {
    const paths = Object.values(OPERATIONS).filter(({ permission }) => permission === 'emit');
    for (const { path } of paths)
      expectProblem(await as({ id: 's', roles }, 'POST', path, body), 403, 'forbidden');
  });

  test('anyone may read presence', async () => {
    expect(await as(plain, 'GET', '/api/gateway/stats')).toMatchObject({ status: 200 });
  });

  test('configured: any token may emit, only auditors read presence', async () => {
    const strict = await openDoor({
      STREAMGATE_EMIT_ROLES: '*',
      STREAMGATE_PRESENCE_ROLES: 'auditor',
    });
    try {
      const headers = {
        authorization: `Bearer ${await tokenOf(plain)}`,
        'content-type': 'application/json',
      };
      const emit = await fetch(`${strict.url}/websocket/broadcast`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      expect(await json(emit)).toMatchObject({ success: true });
      for (const path of ['/websocket/active-users', '/api/gateway/status/x'])
        expect(await json(await fetch(strict.url + path, { headers }))).toMatchObject({
          status: 403,
        });
    } finally {
      await strict.close();
    }
  });
});

describe('what is refused', () => {
  test.each<[string, string, unknown, string]>([
    ['a missing field', '/websocket/broadcast', {}, 'message'],
    ['another type', '/api/gateway/send', { userId: {}, event: 'x', message: 1 }, 'userId'],
    ['a missing message', '/api/gateway/send', { userId: 'a', event: 'x' }, 'message'],
    ['an empty list', '/api/gateway/send-many', { userIds: [], event: 'x', message: 1 }, 'userIds'],
    [
      'an id in a list',
      '/api/gateway/send-many',
      { userIds: ['a', 'secret\u0007'], event: 'x', message: 1 },
      'userIds.1',
    ],
    ['a list instead of an object', '/websocket/broadcast', [], ''],
  ])('400 for %s, naming the place and no value', async (_name, path, body, place) => {
    const answer = await call('POST', path, body);
    const problem = expectProblem(answer, 400, 'invalid_payload');
    expect(problem.errors).toEqual([{ path: place, message: expect.any(String) as string }]);
    expect(JSON.stringify(problem)).not.toContain('secret');
  });

  test.each(['limit=0', 'limit=1001', 'limit=x', 'limit=1&limit=2', `cursor=${'x'.repeat(1001)}`])(
    '400 for the query %s',
    async (query) => {
      expectProblem(await call('GET', `/api/gateway/connected?${query}`), 400, 'invalid_payload');
    },
  );

  test('400 for a cursor that nobody gave', async () => {
    const answer = await call('GET', '/api/gateway/connected?cursor=%00made-up');
    expectProblem(answer, 400, 'invalid_payload');
  });

  test('400 for malformed JSON, without repeating it', async () => {
    const answer = await call('POST', '/websocket/broadcast', '{"message": secret}');
    const problem = expectProblem(answer, 400, 'invalid_payload');
    expect(JSON.stringify(problem)).not.toContain('secret');
  });

  test('400 for no body at all', async () => {
    expectProblem(await call('POST', '/websocket/broadcast'), 400, 'invalid_payload');
  });

  test('400 for a path that does not decode', async () => {
    expectProblem(await call('GET', '/api/gateway/status/%ff'), 400, 'invalid_payload');
  });

  test.each([101, 20_000])('400 for JSON %d levels deep', async (levels) => {
    const deep = '['.repeat(levels) + ']'.repeat(levels);
    const body = `{"userId":"a","event":"x","message":${deep}}`;
    expectProblem(await call('POST', '/api/gateway/send', body), 400, 'invalid_payload');
  });

  test.each(['connect', 'disconnect', 'connect_error', 'newListener'])(
    '400 for the reserved event %s, also when nobody is there',
    async (event) => {
      const body = { userId: 'absent', event, message: 1 };
      expectProblem(await call('POST', '/api/gateway/send', body), 400, 'reserved_event');
    },
  );

  test.each(['user:7', 'role:admin', 'private:a:b', 'conversation:9'])(
    '403 for join:room %s',
    async (room) => {
      for (const event of ['join:room', 'leave:room']) {
        const body = { userId: 'absent', event, message: { room } };
        expectProblem(await call('POST', '/api/gateway/send', body), 403, 'room_forbidden');
      }
    },
  );

  test('404 for an unknown path, with or without a token', async () => {
    expectProblem(await call('GET', '/nothing/here'), 404, 'not_found');
    const answer = await call('GET', '/nothing/here', undefined, { authorization: '' });
    expectProblem(answer, 404, 'not_found');
  });

  test.each([
    ['GET', '/api/gateway/send', 'POST'],
    ['DELETE', '/api/gateway/status/7', 'GET, HEAD'],
    ['POST', '/openapi.json', 'GET, HEAD'],
  ])('405 for %s %s', async (method, path, allow) => {
    const answer = await call(method, path);
    expectProblem(answer, 405, 'method_not_allowed');
    expect(answer.headers.get('allow')).toBe(allow);
  });

  test('413 for a body over the limit', async () => {
    const body = (bytes: number) => ({ userId: 'absent', event: 'x', message: 'x'.repeat(bytes) });
    const answer = await call('POST', '/api/gateway/send', body(63 * 1024));
    expect(answer).toMatchObject({ status: 200 });
    const over = await call('POST', '/api/gateway/send', body(64 * 1024));
    expectProblem(over, 413, 'payload_too_large');
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json; charset=latin9',
  ])('415 for %s', async (type) => {
    const answer = await call('POST', '/websocket/broadcast', '{"message":"x"}', {
      'content-type': type,
    });
    expectProblem(answer, 415, 'unsupported_media_type');
  });
});

describe('headers', () => {
  test('are those of a careful server', async () => {
    const { headers } = await call('GET', '/api/gateway/stats');
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    });
    expect(headers.get('x-powered-by')).toBeNull();
  });

  test('a listed origin may, another may not', async () => {
    const from = async (origin: string) =>
      (await call('GET', '/api/gateway/stats', undefined, { origin })).headers.get(
        'access-control-allow-origin',
      );
    expect(await from('https://app.example.com')).toBe('https://app.example.com');
    expect(await from('https://evil.example.com')).toBeNull();
  });

  test('a preflight is answered', async () => {
    const { status, headers } = await call('OPTIONS', '/api/gateway/send', undefined, {
      origin: 'https://app.example.com',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    });
    expect(status).toBe(204);
    expect(headers.get('access-control-allow-credentials')).toBe('true');
  });
});

describe('the description', () => {
  test('/openapi.json needs no token', async () => {
    const response = await fetch(`${door.url}/openapi.json`);
    expect(await response.json()).toEqual(JSON.parse(JSON.stringify(openApiDocument())));
  });

  test('/docs is not there in production', async () => {
    expectProblem(await call('GET', '/docs/'), 404, 'not_found');
  });

  test('/docs in development: from this node alone, no inline script', async () => {
    const development = await openDoor({ STREAMGATE_MODE: 'development' });
    try {
      const response = await fetch(`${development.url}/docs`);
      expect(response.url).toBe(`${development.url}/docs/`);
      expect(response.headers.get('content-security-policy')).toContain("default-src 'self'");
      const page = await response.text();
      expect(page).not.toMatch(/<script(?![^>]* src=)/);
      const files = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = '']) => file);
      expect(files).toContain('./swagger-initializer.js');
      for (const file of files) {
        const asset = await fetch(new URL(file, response.url));
        await asset.arrayBuffer();
        expect([file, asset.status]).toEqual([file, 200]);
        expect(new URL(asset.url).origin).toBe(development.url);
      }
      const initializer = await fetch(`${development.url}/docs/swagger-initializer.js`);
      expect(await initializer.text()).toContain("'/openapi.json'");
    } finally {
      await development.close();
    }
  });
});

test.each([
  ['POST', '/v1/conversations', { members: [2] }],
  ['GET', '/v1/conversations'],
  ['PATCH', '/v1/conversations/1', { title: 'x' }],
  ['PUT', '/v1/conversations/1/members/2'],
  ['DELETE', '/v1/conversations/1/members/2'],
  ['GET', '/v1/conversations/1/messages?since=3'],
])('while chat is off: %s %s', async (method, path, body?: object) => {
  const { status, body: problem } = await call(method, path, body);
  expect([status, problem]).toMatchObject([404, { code: 'chat_disabled', retryable: false }]);
});

test.each([
  ['POST', '/v1/conversations', { members: [] }],
  ['POST', '/v1/conversations', { members: [2], title: 'of two' }],
  ['POST', '/v1/conversations', { kind: 'crowd', members: [2] }],
  ['GET', '/v1/conversations/first'],
  ['GET', '/v1/conversations/1/messages?since=1&before=3'],
  ['GET', '/v1/conversations/1/messages?after=-1'],
])('of chat, %s %s %j is refused', async (method, path, body?: object) => {
  expect((await call(method, path, body)).status).toBe(400);
});

test('a path of several verbs says which', async () => {
  const { status, headers } = await call('POST', '/v1/conversations/1', {});
  expect([status, headers.get('allow')]).toEqual([405, 'GET, HEAD, PATCH']);
});
