import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../client.js';
import { ALICE, BOB, bob, CAROL, Cluster, TOPOLOGIES } from '../cluster.js';
import { tokenOf } from '../tokens.js';

const quick = { transports: ['websocket'], reconnectionDelay: 20, randomizationFactor: 0 };

describe.each(TOPOLOGIES)('presence on %s', (topology) => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = new Cluster(topology, {
      STREAMGATE_OFFLINE_SECONDS: '2',
      STREAMGATE_ANNOUNCE_MAX_USERS: '3',
      STREAMGATE_MAX_SESSIONS_PER_USER: '2',
    });
    await cluster.start();
  });
  afterEach(() => cluster.clear());
  afterAll(() => cluster.stop());

  const isOnline = async (id: string) =>
    (await cluster.rest(`GET /api/gateway/status/${id}`)).body.connected as boolean;

  test('a user whose transport was lost counts as online for a while, then is gone', async () => {
    const witness = await cluster.connect(ALICE, 'one');
    const client = await cluster.connect(BOB, 'two', { ...quick, reconnection: false });
    client.socket.io.engine.close();
    const lost = Date.now();
    expect(await isOnline('bob')).toBe(true);
    expect(await witness.next('user-disconnected')).toMatchObject({
      user: bob,
      activeUsersCount: 1,
    });
    expect((Date.now() - lost) / 1000).toBeGreaterThan(1.9);
    expect((Date.now() - lost) / 1000).toBeLessThan(2 + 5);
    expect(await isOnline('bob')).toBe(false);
  });

  test('one who comes back in time is not announced, whichever node it comes to', async () => {
    const witness = await cluster.connect(ALICE, 'one');
    const client = await cluster.connect(BOB, 'two', quick);
    await witness.next('user-connected');
    client.socket.io.engine.close();
    await client.next('connected');
    client.socket.io.engine.close();
    (client.socket.io as unknown as { uri: string }).uri = cluster.one.url;
    await client.next('connected');
    const back = Date.now();
    await eventually(
      () => Date.now() - back,
      (passed) => passed > 3500,
    );
    expect(await isOnline('bob')).toBe(true);
    await cluster.settled(witness, ALICE);
    expect(witness.has('user-connected')).toBe(false);
    expect(witness.has('user-disconnected')).toBe(false);
  });

  test("a service's join ends when the user is offline", async () => {
    const client = await cluster.connect(BOB, 'two');
    await cluster.emit(BOB, 'join:room', { room: 'quiz:7' });
    expect(await client.ask('room-message', { room: 'quiz:7', message: 'x' })).toHaveProperty(
      'data',
    );
    client.close();
    await eventually(
      () => isOnline('bob'),
      (online) => !online,
    );
    const later = await cluster.connect(BOB, 'one');
    expect(await later.ask('room-message', { room: 'quiz:7', message: 'x' })).toMatchObject({
      error: { code: 'not_in_room' },
    });
  });

  test('the limit of sessions per user holds for all nodes together', async () => {
    await cluster.connect(BOB, 'one');
    await cluster.connect(BOB, 'two');
    for (const where of ['one', 'two'] as const) {
      const auth = { token: await tokenOf(BOB) };
      const third = cluster.client(where, { auth });
      expect(await third.life('connect_error')).toMatchObject({ data: { code: 'user_limit' } });
    }
  });

  test('with too many users nobody is told any more, and a metric says so', async () => {
    const suppressed = () => cluster.two.metric('streamgate_announcements_suppressed_total');
    const before = await suppressed();
    const witness = await cluster.connect(ALICE, 'one');
    await cluster.connect(BOB, 'two');
    await cluster.connect(CAROL, 'two');
    await witness.next('user-connected');
    await witness.next('user-connected');
    const fourth = await cluster.connect({ id: 'dave' }, 'two');
    await eventually(suppressed, (count) => count > before);
    await cluster.settled(witness, ALICE);
    expect(witness.has('user-connected')).toBe(false);
    fourth.close();
    expect(await witness.next('user-disconnected')).toMatchObject({ activeUsersCount: 3 });
  });
});

describe('who may do what', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = new Cluster('memory', {
      STREAMGATE_PRESENCE_ROLES: 'admin,service',
      STREAMGATE_EMIT_ROLES: 'publisher',
      STREAMGATE_PAGE_SIZE: '2',
      STREAMGATE_ROOM_RULES: JSON.stringify([
        { rooms: 'course:*', allow: { claim: 'courses', contains: '$1' } },
        { rooms: 'staff:*', allow: { roles: ['admin'] } },
        { rooms: 'exam:*', allow: 'service' },
        { rooms: 'closed', allow: 'no one' },
        { rooms: 'user:*', allow: 'anyone' },
      ]),
    });
    await cluster.start();
  });
  afterEach(() => cluster.clear());
  afterAll(() => cluster.stop());
  const publisher = { id: 'p', roles: ['Publisher'] };

  test('listing people needs a role of STREAMGATE_PRESENCE_ROLES', async () => {
    const client = await cluster.connect(ALICE);
    for (const event of ['get-active-users', 'get-users-stats'])
      expect(await client.ask(event)).toMatchObject({ error: { code: 'forbidden' } });
    for (const path of ['/websocket/active-users', '/websocket/users-stats']) {
      expect((await cluster.rest(`GET ${path}`, undefined, ALICE)).status).toBe(403);
      expect((await cluster.rest(`GET ${path}`, undefined, CAROL)).status).toBe(200);
    }
    for (const path of ['connected', 'stats', 'status/alice'])
      expect((await cluster.rest(`GET /api/gateway/${path}`, undefined, ALICE)).status).toBe(403);
  });

  test('emitting needs a role of STREAMGATE_EMIT_ROLES, in whatever case', async () => {
    for (const [request, body] of [
      ['POST /websocket/broadcast', { message: 'x' }],
      ['POST /websocket/send-notification', { userId: 'x', message: 'x' }],
      ['POST /websocket/send-to-role', { role: 'x', message: 'x' }],
      ['POST /api/gateway/send', { userId: 'x', event: 'x', message: {} }],
      ['POST /api/gateway/send-many', { userIds: ['x'], event: 'x', message: {} }],
    ] as const) {
      expect((await cluster.rest(request, body)).body).toMatchObject({ code: 'forbidden' });
      expect((await cluster.rest(request, body, publisher)).status).toBe(200);
    }
  });

  test('lists are paged by STREAMGATE_PAGE_SIZE', async () => {
    for (const person of [ALICE, BOB, CAROL]) await cluster.connect(person);
    const { body } = await cluster.rest('GET /websocket/active-users');
    expect(body).toMatchObject({ count: 3, nextCursor: expect.any(String) as string });
    expect(body.users).toHaveLength(2);
  });

  test.for([
    ['course:42', { claims: { courses: ['41', '42'] } }, true],
    ['course:42', { claims: { courses: ['41'] } }, false],
    ['course:42', {}, false],
    ['staff:1', { roles: ['Admin'] }, true],
    ['staff:1', { roles: ['student'] }, false],
    ['exam:1', { roles: ['service', 'admin'] }, false],
    ['closed', { roles: ['admin'] }, false],
    ['user:carol', { roles: ['admin'] }, false],
    ['anything else', {}, true],
  ] as const)('STREAMGATE_ROOM_RULES: `%s` with %o: %s', async ([room, token, allowed]) => {
    const client = await cluster.connect({ id: 'dan', ...token });
    const answer = await client.ask('join-room', { room });
    if (allowed) expect(answer).toHaveProperty('data.room', room);
    else expect(answer).toMatchObject({ error: { code: 'room_forbidden' } });
  });

  test('a room that is closed to clients is open to the join of a service', async () => {
    const client = await cluster.connect(ALICE);
    const body = { userId: 'alice', event: 'join:room', message: { room: 'exam:1' } };
    expect((await cluster.rest('POST /api/gateway/send', body, publisher)).status).toBe(200);
    expect(await client.ask('room-message', { room: 'exam:1', message: 'x' })).toHaveProperty(
      'data',
    );
  });
});
