import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Client } from '../client.js';
import { ALICE, BOB, timestamp } from '../cluster.js';
import { startNode, type TestNode } from '../node.js';
import { rest } from '../rest.js';
import { tokenOf } from '../tokens.js';

describe('expiry while connected', () => {
  let node: TestNode;
  let clients: Client[] = [];
  beforeAll(async () => {
    node = await startNode({
      STREAMGATE_TOKEN_GRACE_SECONDS: '2',
      STREAMGATE_JWT_LEEWAY_SECONDS: '0',
      STREAMGATE_ROOM_RULES: JSON.stringify([{ rooms: 'staff:*', allow: { roles: ['admin'] } }]),
    });
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  afterAll(() => node.stop());

  async function expiring(person = ALICE, seconds = 2): Promise<Client> {
    const client = new Client(node.url, { auth: { token: await tokenOf(person, seconds) } });
    clients.push(client);
    await client.next('connected');
    return client;
  }
  const expired = { message: 'Token expired', code: 'token_expired', retryable: false };

  test('the client is told, has the grace time, and is disconnected after it', async () => {
    const client = await expiring();
    const gone = client.life('disconnect');
    expect(await client.next('error')).toEqual(expired);
    expect(await client.ask('ping')).toHaveProperty('data');
    const told = Date.now();
    expect(await gone).toBe('io server disconnect');
    expect(Date.now() - told).toBeGreaterThan(1000);
    expect(client.socket.active).toBe(false);
  });

  test('`refresh-token` within the grace time is answered by `token-refreshed`', async () => {
    const client = await expiring();
    await client.next('error');
    const token = await tokenOf(ALICE, 3600);
    const answer = await client.ask('refresh-token', { token });
    expect(answer).toEqual({ data: { expiresAt: timestamp } });
    expect(await client.next('token-refreshed')).toEqual(answer.data);
    const inSeconds = (Date.parse(answer.data.expiresAt) - Date.now()) / 1000;
    expect(inSeconds).toBeGreaterThan(3590);
    // Two seconds of grace have passed when the second session is gone: this one is not.
    const other = await expiring(BOB, 1);
    await other.life('disconnect');
    await client.ask('ping');
    expect(client.socket.connected).toBe(true);
  });

  test('the new token must be of the same user, and valid', async () => {
    const client = await expiring(ALICE, 60);
    for (const [token, code] of [
      [await tokenOf(BOB), 'user_mismatch'],
      [await tokenOf(ALICE, -10), 'token_expired'],
      ['nonsense', 'authentication_failed'],
    ] as const) {
      expect(await client.ask('refresh-token', { token })).toMatchObject({ error: { code } });
      expect(await client.next('error')).toMatchObject({ code, event: 'refresh-token' });
    }
    expect(client.has('token-refreshed')).toBe(false);
    expect(await client.ask('ping')).toHaveProperty('data');
  });

  test('changed roles re-decide the role rooms', async () => {
    const client = await expiring({ ...ALICE, roles: ['student'] }, 60);
    const token = await tokenOf({ ...ALICE, roles: ['teacher'] });
    await client.ask('refresh-token', { token });
    for (const role of ['student', 'teacher'])
      await rest(node, 'POST /websocket/send-to-role', { role, message: role });
    expect(await client.next('role-notification')).toMatchObject({ targetRole: 'teacher' });
    const { data } = await client.ask('get-users-stats');
    expect(data.usersByRole).toEqual({ teacher: 1 });
  });

  test('rooms that a removed role had opened are left', async () => {
    const client = await expiring({ ...ALICE, roles: ['admin'] }, 60);
    expect(await client.ask('join-room', { room: 'staff:1' })).toHaveProperty('data');
    await client.ask('refresh-token', { token: await tokenOf({ ...ALICE, roles: [] }) });
    expect(await client.next('left-room')).toMatchObject({ room: 'staff:1' });
    expect(await client.ask('room-message', { room: 'staff:1', message: 'x' })).toMatchObject({
      error: { code: 'not_in_room' },
    });
  });
});
