import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Client, eventually } from '../client.js';
import { ALICE, BOB, Cluster } from '../cluster.js';
import { startJwks, type TestJwks } from '../jwks.js';
import { Proxy } from '../proxy.js';
import { tokenOf, type Person } from '../tokens.js';

/** What the client keeps of its session, as the stock client does by itself. */
interface Kept {
  _pid?: string;
  _lastOffset?: string;
}

describe.each(['memory', 'mailbox', 'streams'] as const)('recovery on %s', (topology) => {
  let cluster: Cluster;
  let jwks: TestJwks;
  let clients: Client[] = [];
  beforeAll(async () => {
    jwks = await startJwks();
    cluster = new Cluster(topology, {
      STREAMGATE_JWT_JWKS_URL: jwks.url,
      STREAMGATE_OFFLINE_SECONDS: '3',
      STREAMGATE_ROOM_RULES: JSON.stringify([{ rooms: 'staff:*', allow: { roles: ['admin'] } }]),
    });
    await cluster.start();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await cluster.clear();
  });
  afterAll(async () => {
    await cluster.stop();
    await jwks.close();
  });

  /** A stock client whose token can change, and whose connection the test cuts and lets go on. */
  class Cut {
    readonly client: Client;
    token: string;

    constructor(token: string) {
      this.token = token;
      this.client = new Client(cluster.one.url, {
        auth: (give) => give({ token: this.token }),
        transports: ['websocket'],
        reconnection: false,
      });
      clients.push(this.client);
    }

    get kept(): Required<Kept> {
      return this.client.socket as unknown as Required<Kept>;
    }

    /** Loses the transport and waits until the gateway knows. */
    async cut(): Promise<void> {
      const { id } = this.client.socket;
      this.client.socket.io.engine.close();
      await cluster.one.logged((line) => line.msg === 'disconnect' && line['session'] === id);
    }

    /** Comes back to the other node, when there is one. */
    async back(): Promise<{ recovered: boolean; socketId: string }> {
      const manager = this.client.socket.io as unknown as { uri: string };
      manager.uri = cluster.two.url;
      this.client.socket.connect();
      return await this.client.next('connected');
    }
  }

  async function cut(person: Person): Promise<Cut> {
    const made = new Cut(await tokenOf(person));
    await made.client.next('connected');
    return made;
  }

  const told = (n: number) => ({ n });
  const tell = (person: Person, n: number) => cluster.emit(person, 'told', told(n));
  async function heard(client: Client, count: number): Promise<unknown[]> {
    const payloads: unknown[] = [];
    while (payloads.length < count) payloads.push(await client.next('told'));
    return payloads;
  }

  test('gets what it missed, once and in order, its rooms too', async () => {
    const alice = await cut(ALICE);
    const { client } = alice;
    const before = client.socket.id;
    await client.ask('join-room', { room: 'general' });
    await tell(ALICE, 1);
    expect(await heard(client, 1)).toEqual([told(1)]);
    await alice.cut();
    await tell(ALICE, 2);
    const member = await cluster.connect(BOB, 'two');
    await member.ask('join-room', { room: 'general' });
    await member.ask('room-message', { room: 'general', message: 'missed' });
    await tell(ALICE, 3);
    expect(await alice.back()).toMatchObject({ recovered: true, socketId: before });
    expect(await heard(client, 2)).toEqual([told(2), told(3)]);
    expect(await client.next('room-message')).toMatchObject({ message: 'missed' });
    await member.ask('room-message', { room: 'general', message: 'live' });
    expect(await client.next('room-message')).toMatchObject({ message: 'live' });
    await cluster.settled(client, ALICE);
    expect(client.has('told')).toBe(false);
    expect(client.has('room-message')).toBe(false);
  });

  test('a session that has received nothing can be continued', async () => {
    const alice = await cut(ALICE);
    await alice.cut();
    await tell(ALICE, 1);
    expect(await alice.back()).toMatchObject({ recovered: true });
    expect(await heard(alice.client, 1)).toEqual([told(1)]);
  });

  test('a message that is a bare string is not taken for a position', async () => {
    const alice = await cut(ALICE);
    await cluster.emit(ALICE, 'told', 'zzz');
    expect(await heard(alice.client, 1)).toEqual(['zzz']);
    await alice.cut();
    await cluster.emit(ALICE, 'told', '0');
    expect(await alice.back()).toMatchObject({ recovered: true });
    expect(await heard(alice.client, 1)).toEqual(['0']);
    await alice.cut();
    await tell(ALICE, 3);
    expect(await alice.back()).toMatchObject({ recovered: true });
    expect(await heard(alice.client, 1)).toEqual([told(3)]);
  });

  test('a stolen pid gives nothing of its owner, who starts anew', async () => {
    const alice = await cut(ALICE);
    await alice.client.ask('join-room', { room: 'private:alice:carol' });
    await tell(ALICE, 1);
    await heard(alice.client, 1);
    const { _pid: pid, _lastOffset: offset } = alice.kept;
    await alice.cut();
    await tell(ALICE, 2);
    const auth = { token: await tokenOf(BOB), pid, offset };
    const thief = cluster.client('two', { auth });
    expect(await thief.next('connected')).toMatchObject({ recovered: false, userId: 'bob' });
    expect(thief.socket.id).not.toBe(alice.client.socket.id);
    await tell(ALICE, 3).catch(() => undefined);
    await cluster.settled(thief, BOB);
    expect(thief.has('told')).toBe(false);
    expect(await thief.ask('room-message', { room: 'private:alice:carol', message: 'x' })).toEqual({
      error: { message: 'Join the room first', code: 'not_in_room', retryable: false },
    });
    expect(await alice.back()).toMatchObject({ recovered: false });
  });

  test('an expired token is refused, whatever it brings', async () => {
    const alice = await cut(ALICE);
    await alice.cut();
    alice.token = await tokenOf(ALICE, -60);
    const manager = alice.client.socket.io as unknown as { uri: string };
    manager.uri = cluster.two.url;
    await tell(ALICE, 1);
    alice.client.socket.connect();
    expect(await alice.client.life('connect_error')).toMatchObject({
      data: { code: 'token_expired' },
    });
    expect(alice.client.has('told')).toBe(false);
  });

  test('a revoked user is refused, whatever the session brings, until there is a new token', async () => {
    const issued = Math.floor(Date.now() / 1000);
    const rita = { id: 'rita' };
    const session = await cut({ ...rita, claims: { iat: issued } });
    await session.cut();
    const disconnect = { action: 'disconnect', to: 'user:rita', data: { revoke: 60 } };
    const { body } = await cluster.rest('POST /v1/commands', disconnect);
    expect(body).toMatchObject({ outcome: 'done' });
    await tell(rita, 1).catch(() => undefined);
    const manager = session.client.socket.io as unknown as { uri: string };
    manager.uri = cluster.two.url;
    session.client.socket.connect();
    expect(await session.client.life('connect_error')).toMatchObject({
      data: { code: 'token_revoked', retryable: false },
    });
    expect(session.client.has('told')).toBe(false);
    session.token = await tokenOf({ ...rita, claims: { iat: issued + 60 } });
    expect(await session.back()).toMatchObject({ userId: 'rita' });
    for (const claims of [{ iat: issued }, { iat: undefined }]) {
      const again = cluster.client('two', { auth: { token: await tokenOf({ ...rita, claims }) } });
      expect(await again.life('connect_error')).toMatchObject({ data: { code: 'token_revoked' } });
    }
  });

  test('a removed role takes its rooms and what was said in them', async () => {
    const person = { ...ALICE, roles: ['admin', 'student'] };
    const alice = await cut(person);
    await alice.client.ask('join-room', { room: 'staff:1' });
    await alice.client.ask('join-room', { room: 'general' });
    const boss = await cluster.connect({ id: 'boss', roles: ['admin'] }, 'two');
    for (const room of ['staff:1', 'general']) await boss.ask('join-room', { room });
    await alice.cut();
    await cluster.rest('POST /websocket/send-to-role', { role: 'admin', message: 'admins' });
    await cluster.rest('POST /websocket/send-to-role', { role: 'student', message: 'students' });
    await boss.ask('room-message', { room: 'staff:1', message: 'staff' });
    await boss.ask('room-message', { room: 'general', message: 'all' });
    alice.token = await tokenOf({ ...ALICE, roles: ['student'] });
    expect(await alice.back()).toMatchObject({
      recovered: true,
      user: { id: 'alice', username: 'Alice', roles: ['student'] },
    });
    await cluster.settled(alice.client, ALICE);
    expect(alice.client.all('role-notification')).toMatchObject([{ targetRole: 'student' }]);
    expect(alice.client.all('room-message')).toMatchObject([{ room: 'general' }]);
    expect(await alice.client.ask('room-message', { room: 'staff:1', message: 'x' })).toMatchObject(
      { error: { code: 'not_in_room' } },
    );
  });

  test('a token check of 100 ms loses nothing', async () => {
    const alice = await cut(ALICE);
    await tell(ALICE, 0);
    await heard(alice.client, 1);
    await alice.cut();
    await tell(ALICE, 1);
    // A key that the gateway has not seen: it has to ask, and the answer takes its time.
    jwks.delay = 100;
    await jwks.rotate();
    alice.token = await jwks.tokenOf(ALICE);
    const asked = jwks.asked;
    const back = alice.back();
    await eventually(
      () => jwks.asked,
      (now) => now > asked,
    );
    for (let n = 2; n <= 20; n++) await tell(ALICE, n);
    expect(await back).toMatchObject({ recovered: true });
    await tell(ALICE, 21);
    expect(await heard(alice.client, 21)).toEqual(
      Array.from({ length: 21 }, (_, index) => told(index + 1)),
    );
    await cluster.settled(alice.client, ALICE);
    expect(alice.client.has('told')).toBe(false);
  });

  test('loses and repeats nothing, wherever the connection is cut that it comes back with', async () => {
    const alice = await cut(ALICE);
    const { socket } = alice.client;
    const shown: number[] = [];
    socket.on('told', ({ n }: { n: number }) => void shown.push(n));
    const proxy = await Proxy.start([cluster.two.url]);
    let n = 0;
    // What opens the connection, CONNECT, three events, `connected`.
    for (let frames = 1; frames <= 6; frames++) {
      await alice.cut();
      for (let count = 0; count < 3; count++) await tell(ALICE, ++n);
      proxy.cutAfter = frames;
      (socket.io as unknown as { uri: string }).uri = proxy.url;
      const isCut = new Promise((resolve) => socket.io.once('close', resolve));
      socket.connect();
      await isCut;
      alice.client.forget();
      expect(await alice.back()).toMatchObject({ recovered: true });
      await cluster.settled(alice.client, ALICE);
      expect(shown, `cut behind ${frames}`).toEqual(Array.from({ length: n }, (_, at) => at + 1));
    }
    await proxy.stop();
  });

  test('garbage in place of pid and offset starts anew', async () => {
    for (const [pid, offset] of [
      ['no-such-session', '0-0'],
      [{ $gt: '' }, ['x']],
      ['../../x', 'not an offset'],
      ['x'.repeat(50_000), '9'.repeat(1000)],
    ]) {
      const client = cluster.client('two', { auth: { token: await tokenOf(BOB), pid, offset } });
      expect(await client.next('connected')).toMatchObject({ recovered: false });
      client.close();
    }
  });
});
