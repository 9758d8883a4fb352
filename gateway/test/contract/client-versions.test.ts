import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Client, connect, eventually, type Version } from '../client.js';
import { ALICE, BOB, Cluster, bob, timestamp } from '../cluster.js';
import { startNode } from '../node.js';
import { tokenOf } from '../tokens.js';

/**
 * What each version of socket.io-client has: the table of docs/clients.md, each cell tried on a
 * real client of that version.
 */
const HAS: [what: string, has: Record<Version, boolean>][] = [
  ['connects without `STREAMGATE_ALLOW_EIO3`', { 2: false, 3: true, 4: true }],
  ['token in `auth`', { 2: false, 3: true, 4: true }],
  ['token in the `Authorization` header', { 2: true, 3: true, 4: true }],
  ['token in the query', { 2: true, 3: true, 4: true }],
  ['event `ping`', { 2: false, 3: true, 4: true }],
  ['acks', { 2: true, 3: true, 4: true }],
  ['binary and large payloads', { 2: true, 3: true, 4: true }],
  ['announced when it connects (else: at its first event)', { 2: false, 3: true, 4: true }],
  ['recovery of missed events', { 2: false, 3: false, 4: true }],
  ['comes back by itself after its transport was closed', { 2: true, 3: true, 4: true }],
];
const has = (what: string, version: Version) => HAS.find(([each]) => each === what)![1][version];

test('docs/clients.md says so', async () => {
  const page = await readFile(new URL('../../../docs/clients.md', import.meta.url), 'utf8');
  const cells = [...page.matchAll(/^\| (.+?) +\| (yes|no) +\| (yes|no) +\| (yes|no) +\|$/gm)];
  expect(cells.map(([, what, ...versions]) => [what, versions])).toEqual(
    HAS.map(([what, of]) => [what, Object.values(of).map((yes) => (yes ? 'yes' : 'no'))]),
  );
});

describe.each([2, 3, 4] as const)('socket.io-client %i', (version) => {
  const cluster = new Cluster('memory', {
    STREAMGATE_ALLOW_EIO3: 'true',
    STREAMGATE_OFFLINE_SECONDS: '1',
  });
  let clients: Client[] = [];
  beforeAll(() => cluster.start());
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await cluster.clear();
  });
  afterAll(() => cluster.stop());

  function open(url: string, options: ConstructorParameters<typeof Client>[1]): Client {
    const client = new Client(url, { version, ...options });
    clients.push(client);
    return client;
  }

  /** Whether it is let in; a refused version 2 client hears `error`, the others `connect_error`. */
  async function enters(client: Client): Promise<boolean> {
    const refused = new Promise<boolean>((resolve) => {
      for (const event of ['connect_error', 'error'] as const)
        client.socket.once(event as 'connect_error', () => resolve(false));
    });
    return Promise.race([client.next('connected').then(() => true), refused]);
  }

  async function member(person = BOB): Promise<Client> {
    const client = open(cluster.one.url, { query: { token: await tokenOf(person) } });
    await client.next('connected');
    return client;
  }

  test('connects', async () => {
    const client = open(cluster.one.url, { query: { token: await tokenOf(BOB) } });
    expect(await client.next('connected')).toEqual({
      message: 'Successfully connected to WebSocket',
      userId: 'bob',
      socketId: client.socket.id,
      user: bob,
      timestamp,
      recovered: false,
    });
  });

  test('connects without `STREAMGATE_ALLOW_EIO3`', async () => {
    const node = await startNode();
    const client = open(node.url, { query: { token: await tokenOf(BOB) }, reconnection: false });
    expect(await enters(client)).toBe(has('connects without `STREAMGATE_ALLOW_EIO3`', version));
    await node.stop();
  });

  test('token in `auth`', async () => {
    const client = open(cluster.one.url, { auth: { token: await tokenOf(BOB) } });
    expect(await enters(client)).toBe(has('token in `auth`', version));
  });

  test('token in the `Authorization` header', async () => {
    const Authorization = `Bearer ${await tokenOf(BOB)}`;
    // Version 2 gives headers per transport.
    const options =
      version === 2
        ? { transportOptions: { polling: { extraHeaders: { Authorization } } } }
        : { extraHeaders: { Authorization } };
    const client = open(cluster.one.url, options);
    expect(await enters(client)).toBe(has('token in the `Authorization` header', version));
  });

  test('token in the query', async () => {
    const client = open(cluster.one.url, { query: { token: await tokenOf(BOB) } });
    expect(await enters(client)).toBe(has('token in the query', version));
  });

  test('a refusal says why', async () => {
    const client = open(cluster.one.url, { query: { token: 'nonsense' } });
    const event = version === 2 ? 'error' : 'connect_error';
    const refusal = await client.life(event as 'connect_error');
    const data = { code: 'authentication_failed', retryable: false };
    // Version 2 sees the data only, which repeats the message.
    if (version === 2) expect(refusal).toEqual({ message: 'Authentication failed', ...data });
    else expect(refusal).toMatchObject({ message: 'Authentication failed', data });
  });

  test('event `ping`', async () => {
    const client = await member();
    client.socket.emit('ping', { sent: 1 });
    client.socket.emit('message', { message: 'after' });
    await client.next('messageReceived');
    expect(client.has('pong')).toBe(has('event `ping`', version));
  });

  test('acks', async () => {
    const client = await member();
    expect(await client.ask('message', { message: 'x' })).toMatchObject({
      data: { success: true },
    });
    expect(await client.ask('join-room', { room: 'user:alice' })).toMatchObject({
      error: { code: 'room_forbidden' },
    });
  });

  test('rooms and messages', async () => {
    const client = await member();
    const { client: other } = await connect(cluster.one.url, ALICE);
    clients.push(other);
    await client.ask('join-room', { room: 'general' });
    await other.ask('join-room', { room: 'general' });
    expect(await client.next('user-joined-room')).toMatchObject({ user: { id: 'alice' } });
    await other.ask('room-message', { room: 'general', message: 'to you' });
    expect(await client.next('room-message')).toMatchObject({ message: 'to you' });
    await client.ask('room-message', { room: 'general', message: 'to all' });
    await other.next('room-message');
    expect(await other.next('room-message')).toMatchObject({ message: 'to all' });
    await cluster.emit(BOB, 'update', { any: ['thing'] });
    expect(await client.next('update')).toEqual({ any: ['thing'] });
  });

  test('binary and large payloads', async () => {
    const client = await member();
    await client.ask('message', { message: 'first event' });
    const large = 'ü'.repeat(40_000);
    await cluster.emit(BOB, 'update', { large });
    expect(await client.next('update')).toEqual({ large });
    // No event of the documents takes bytes: they are refused, and the session goes on.
    expect(await client.ask('message', Buffer.from([1, 2, 3]))).toMatchObject({
      error: { code: 'invalid_payload' },
    });
    expect(await client.ask('message', { message: large.slice(0, 20_000) })).toHaveProperty('data');
  });

  const announced = 'announced when it connects (else: at its first event)';
  test(announced, async () => {
    const { client: witness } = await connect(cluster.one.url, ALICE);
    clients.push(witness);
    const client = await member();
    await cluster.emit(ALICE, 'marker', {});
    await witness.next('marker');
    expect(witness.has('user-connected')).toBe(has(announced, version));
    expect((await witness.ask('get-active-users')).data.count).toBe(
      has(announced, version) ? 2 : 1,
    );
    await client.ask('message', { message: 'here I am' });
    expect(await witness.next('user-connected')).toMatchObject({ user: bob, activeUsersCount: 2 });
    client.close();
    expect(await witness.next('user-disconnected')).toMatchObject({ user: bob });
  });

  test('recovery of missed events', async () => {
    const quick = { reconnectionDelay: 20, randomizationFactor: 0 };
    const client = open(cluster.one.url, { query: { token: await tokenOf(BOB) }, ...quick });
    await client.next('connected');
    await client.ask('message', { message: 'first event' });
    client.socket.io.engine.close();
    const { recovered } = await client.next('connected');
    expect(recovered).toBe(has('recovery of missed events', version));
  });

  test('comes back by itself after its transport was closed', async () => {
    const client = await member();
    await client.ask('message', { message: 'first event' });
    const body = JSON.stringify({ percent: 100, seconds: 1 });
    const headers = { 'content-type': 'application/json' };
    const shed = `${cluster.one.managementUrl}/admin/shed`;
    expect((await fetch(shed, { method: 'POST', headers, body })).ok).toBe(true);
    await client.next('connected', 15_000);
    await eventually(
      () => client.ask('message', { message: 'again' }),
      (answer) => answer.data !== undefined,
    );
  });
});
