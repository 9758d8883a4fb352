import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { next, openDoor, type Door } from '../../../test/rest-door.js';
import { tokenOf, type Person } from '../../../test/tokens.js';
import { metrics } from '../../ops/metrics.js';

const service: Person = { id: 'quiz', roles: ['service'] };

let door: Door;
beforeAll(async () => {
  door = await openDoor({
    STREAMGATE_COMMAND_MAX_BYTES: String(200 * 1024),
    STREAMGATE_PRESENCE_ROLES: 'service',
  });
});
afterAll(() => door.close());

async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  as = service,
) {
  const response = await fetch(door.url + path, {
    method,
    headers: {
      authorization: `Bearer ${await tokenOf(as)}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const answer: unknown = await response.json();
  return { status: response.status, body: answer };
}

const command = (body: unknown, headers?: Record<string, string>) =>
  call('POST', '/v1/commands', body, headers);

describe('POST /v1/commands', () => {
  test('emits, and says how many sessions were addressed', async () => {
    const [one, two] = [await door.connect({ id: 'c1' }), await door.connect({ id: 'c1' })];
    const heard = Promise.all([next(one, 'quiz:created'), next(two, 'quiz:created')]);
    expect(await command({ to: 'user:c1', event: 'quiz:created', data: { n: 7 } })).toEqual({
      status: 200,
      body: { outcome: 'done', sessions: 2, inboxed: 0 },
    });
    expect(await heard).toEqual([{ n: 7 }, { n: 7 }]);
  });

  test('to a room it is not known how many', async () => {
    expect(await command({ to: ['quiz:7'], event: 'x' })).toEqual({
      status: 200,
      body: { outcome: 'done', inboxed: 0 },
    });
  });

  test('the Idempotency-Key makes it once, for each caller', async () => {
    const client = await door.connect({ id: 'c2' });
    const heard: unknown[] = [];
    client.on('once', (n) => heard.push(n));
    const body = { to: 'user:c2', event: 'once', data: 1 };
    const key = { 'idempotency-key': 'order-7' };
    expect((await command(body, key)).body).toMatchObject({ outcome: 'done' });
    expect((await command(body, key)).body).toEqual({ outcome: 'duplicate', inboxed: 0 });
    expect(await command({ ...body, data: 2 }, key)).toMatchObject({
      status: 409,
      body: { code: 'idempotency_conflict', retryable: false },
    });
    const other = { id: 'billing', roles: ['service'] };
    const elsewhere = await call('POST', '/v1/commands', { ...body, data: 3 }, key, other);
    expect(elsewhere.body).toMatchObject({ outcome: 'done' });
    const end = next(client, 'end');
    await command({ to: 'user:c2', event: 'end' });
    await end;
    expect(heard).toEqual([1, 3]);
  });

  test.each<[number, string, unknown]>([
    [400, 'unknown_field', { to: 'a', event: 'x', room: 'b' }],
    [400, 'unknown_action', { action: 'fly', to: 'a' }],
    [400, 'unknown_namespace', { nsp: '/other', to: 'a', event: 'x' }],
    [400, 'invalid_to', { event: 'x' }],
    [400, 'invalid_to', { action: 'join', to: 'room', data: { room: 'a' } }],
    [400, 'invalid_ttl', { to: 'a', event: 'x', ttl: '5' }],
    [400, 'invalid_receipt', { to: 'a', event: 'x', receipt: 'streamgate:emit' }],
    [400, 'reserved_event', { to: 'a', event: 'connect' }],
    [400, 'durable_needs_users', { to: 'a', event: 'x', durable: true }],
    [400, 'invalid_payload', { to: 'a' }],
    [400, 'invalid_payload', [1]],
    [403, 'room_forbidden', { action: 'join', to: 'user:a', data: { room: 'user:b' } }],
    [413, 'payload_too_large', { to: 'a', event: 'x', data: 'x'.repeat(201 * 1024) }],
  ])('%i %s, and counts it', async (status, code, body) => {
    const before = metrics.commands.value(code);
    expect(await command(body)).toMatchObject({ status, body: { code } });
    expect(metrics.commands.value(code)).toBe(before + 1);
  });

  test('says which field nobody knows and how a receipt stream begins, and counts both', async () => {
    const counts = () =>
      ['unknown_field', 'invalid_receipt'].map((code) => metrics.commands.value(code));
    const before = counts();
    const unknown = await command({ to: 'a', event: 'x', colour: 'secret' });
    expect(unknown.body).toMatchObject({ detail: 'Unknown field "colour"' });
    const receipt = await command({ to: 'a', event: 'x', receipt: 'mine' });
    expect(receipt.body).toMatchObject({
      detail: 'A receipt stream begins with streamgate:receipt:',
    });
    expect(counts()).toEqual(before.map((count) => count + 1));
  });

  test('needs a role that may emit', async () => {
    const body = { to: 'user:c1', event: 'x' };
    expect(await call('POST', '/v1/commands', body, {}, { id: 'plain' })).toMatchObject({
      status: 403,
      body: { code: 'forbidden' },
    });
  });
});

describe('POST /v1/commands/batch', () => {
  const batch = (commands: unknown[], headers?: Record<string, string>) =>
    call('POST', '/v1/commands/batch', { commands }, headers);

  test('executes a thousand in their order, and refuses each for itself', async () => {
    const client = await door.connect({ id: 'b1' });
    const heard: unknown[] = [];
    client.on('n', (n) => heard.push(n));
    const end = next(client, 'end');
    const commands = Array.from({ length: 998 }, (_, n) => ({
      to: 'user:b1',
      event: 'n',
      data: n,
    }));
    const { status, body } = await batch([
      ...commands,
      { to: 'user:b1' },
      { to: 'user:b1', event: 'end' },
    ]);
    const { outcomes } = body as { outcomes: unknown[] };
    expect(status).toBe(200);
    expect(outcomes).toHaveLength(1000);
    expect(outcomes[0]).toEqual({ outcome: 'done', sessions: 1, inboxed: 0 });
    expect(outcomes[998]).toMatchObject({ error: { code: 'invalid_payload', retryable: false } });
    expect(outcomes[999]).toMatchObject({ outcome: 'done' });
    await end;
    expect(heard).toEqual(commands.map(({ data }) => data));
  });

  test('a key makes each of them once; twice in one batch is once', async () => {
    const commands = [
      { to: 'user:b2', event: 'x', data: 1 },
      { to: 'user:b2', event: 'x', data: 2, id: 'own' },
      { to: 'user:b2', event: 'x', data: 2, id: 'own' },
      { to: 'user:b2', event: 'x', data: 3, id: 'own' },
    ];
    const key = { 'idempotency-key': 'batch-1' };
    const conflict = { error: { code: 'idempotency_conflict' } };
    expect((await batch(commands, key)).body).toMatchObject({
      outcomes: [{ outcome: 'done' }, { outcome: 'done' }, { outcome: 'duplicate' }, conflict],
    });
    const again = { outcome: 'duplicate' };
    expect((await batch(commands, key)).body).toMatchObject({
      outcomes: [again, again, again, conflict],
    });
  });

  test.each([
    ['none', []],
    ['too many', Array.from({ length: 1001 }, () => ({}))],
    ['no object', [7]],
  ])('%s is refused as a whole', async (_name, commands) => {
    expect(await batch(commands)).toMatchObject({ status: 400, body: { code: 'invalid_payload' } });
  });
});

describe('who is where', () => {
  test('a user', async () => {
    await door.connect({ id: 'w1', username: 'Wu', roles: ['teacher'] });
    const { body } = await call('GET', '/v1/users/w1');
    expect(body).toEqual({
      userId: 'w1',
      connected: true,
      sessions: 1,
      user: { id: 'w1', username: 'Wu', roles: ['teacher'] },
      connectedAt: expect.any(String) as string,
    });
    expect((await call('GET', '/v1/users/w1?nsp=/chat')).body).toEqual({
      userId: 'w1',
      connected: false,
      sessions: 0,
    });
  });

  test('a room, its members by page', async () => {
    for (const id of ['r1', 'r2', 'r3', 'r3']) await door.connect({ id, roles: ['choir'] });
    const members = [
      { userId: 'r1', sessions: 1 },
      { userId: 'r2', sessions: 1 },
      { userId: 'r3', sessions: 2 },
    ];
    const all = await call('GET', '/v1/rooms/role:choir');
    expect(all.body).toEqual({ room: 'role:choir', sessions: 4, users: 3, members });
    const first = (await call('GET', '/v1/rooms/role:choir?limit=2')).body as {
      nextCursor: string;
    };
    expect(first).toMatchObject({ sessions: 4, users: 3, members: members.slice(0, 2) });
    const rest = await call('GET', `/v1/rooms/role:choir?limit=2&cursor=${first.nextCursor}`);
    expect(rest.body).toEqual({
      room: 'role:choir',
      sessions: 4,
      users: 3,
      members: members.slice(2),
    });
  });

  test('an empty room', async () => {
    expect((await call('GET', '/v1/rooms/nobody')).body).toEqual({
      room: 'nobody',
      sessions: 0,
      users: 0,
      members: [],
    });
  });

  test.each([
    ['/v1/users/a?nsp=/other', 400],
    ['/v1/rooms/*', 400],
    ['/v1/rooms/a?limit=0', 400],
  ])('%s', async (path, status) => {
    expect((await call('GET', path)).status).toBe(status);
  });

  test('needs a role that may ask', async () => {
    expect((await call('GET', '/v1/rooms/a', undefined, {}, { id: 'plain' })).status).toBe(403);
  });
});
