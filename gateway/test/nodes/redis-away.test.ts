import { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import { Client, connect, eventually, type Answer } from '../client.js';
import { ALICE, BOB, CAROL, carol } from '../cluster.js';
import { startNode, type TestNode } from '../node.js';
import { rest } from '../rest.js';
import { BACKPLANES, Several } from './several.js';

const quiet = { transports: ['websocket'], reconnection: false };
const TIMEOUT_MS = 500;

describe.each(BACKPLANES)('Redis goes away on %s', (backplane) => {
  /** What is published before the other node has subscribed again is lost (decision 0010). */
  const forgetful = backplane === 'pubsub';
  let several: Several;
  let alice: Client;
  let neighbour: Client;
  let bob: Client;
  const clients: Client[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await several.stop();
  });

  async function open(node: number, person = ALICE): Promise<Client> {
    const { client } = await connect(several.node(node).url, person, quiet);
    clients.push(client);
    return client;
  }

  /** Alice and a second session of hers on node 1, Bob on node 2, all in one room. */
  async function startInOneRoom(): Promise<void> {
    several = await Several.start(2, backplane, {
      STREAMGATE_REDIS_TIMEOUT_MS: String(TIMEOUT_MS),
    });
    alice = await open(1, ALICE);
    neighbour = await open(1, ALICE);
    bob = await open(2, BOB);
    for (const client of [alice, neighbour, bob])
      await client.ask('join-room', { room: 'general' });
    await alice.next('user-connected');
    for (const client of clients) client.forget();
  }

  const say = (client: Client, message: string) =>
    client.ask('room-message', { room: 'general', message });
  const timed = async (ask: Promise<Answer>) => {
    const start = performance.now();
    return { answer: await ask, ms: performance.now() - start };
  };
  const readiness = async (node: TestNode) =>
    (await fetch(`${node.managementUrl}/health/ready`)).status;
  const users = async (number: number) => {
    const { body } = await rest(several.node(number), 'GET /api/gateway/connected');
    return (body.connectedUsers as string[] | undefined)?.toSorted();
  };

  /** Nodes go on by themselves: what is said on one is heard on the other. */
  async function resumed(): Promise<void> {
    // Both: a Redis that has lost its data knows of a node's rooms only when that is back.
    for (const client of [alice, bob])
      await eventually(
        () => say(client, 'are you there?'),
        (answer) => answer.data?.scope === 'cluster',
        20_000,
      );
    const heard = () =>
      (bob.all('room-message') as { message: string }[]).some(
        ({ message }) => message === 'marker',
      );
    await say(alice, 'marker');
    await eventually(async () => {
      if (forgetful) await say(alice, 'marker');
      return heard();
    }, Boolean);
    await eventually(
      async () => Promise.all([users(1), users(2)]),
      ([one, two]) => one?.length !== undefined && String(one) === String(two),
    );
  }

  /** But for one, whose own announcement the test has taken from Alice. */
  function expectNobodySaidGone(but = ''): void {
    const gone = [alice, neighbour, bob].flatMap((client) => [
      ...(client.all('user-disconnected') as { user: { id: string } }[]).map(({ user }) => user.id),
      ...(client.all('user_presence') as { userId: string; status: string }[])
        .filter(({ status }) => status === 'offline')
        .map(({ userId }) => userId),
    ]);
    expect(gone.filter((id) => id !== but)).toEqual([]);
  }

  test('paused for 10 s: nobody is announced gone, replies are immediate, rooms are local', async () => {
    await startInOneRoom();
    several.redis.pause();
    const paused = Date.now();
    // The first message waits for Redis as long as it may, the next ones do not.
    const first = await timed(say(alice, 'first'));
    expect(first.answer).toEqual({ data: { scope: 'local' } });
    expect(first.ms).toBeLessThan(TIMEOUT_MS + 400);
    const second = await timed(say(alice, 'second'));
    expect(second.answer).toEqual({ data: { scope: 'local' } });
    expect(second.ms).toBeLessThan(200);
    for (const message of ['first', 'second'])
      expect(await neighbour.next('room-message')).toMatchObject({ message });
    const publish = await rest(several.node(1), 'POST /websocket/broadcast', { message: 'x' });
    expect(publish).toMatchObject({
      status: 503,
      body: { code: 'backplane_unavailable', retryable: true },
    });
    expect(publish.headers.has('retry-after')).toBe(true);
    const list = await rest(several.node(1), 'GET /websocket/active-users');
    expect(list).toMatchObject({ status: 503, body: { code: 'backplane_unavailable' } });
    expect(await alice.ask('get-active-users')).toMatchObject({
      error: { code: 'backplane_unavailable', retryable: true },
    });
    expect(await readiness(several.node(1))).toBe(200);
    expect(await several.node(1).metric('streamgate_not_forwarded_total')).toBeGreaterThan(1);
    // New sessions are admitted, known ones answered at once, the whole time.
    const newcomer = await open(1, CAROL);
    expect(await newcomer.ask('join-room', { room: 'general' })).toHaveProperty('data');
    expect(await say(alice, 'welcome')).toEqual({ data: { scope: 'local' } });
    expect(await newcomer.next('room-message')).toMatchObject({ message: 'welcome' });
    const pings: number[] = [];
    while (Date.now() - paused < 10_000) {
      const { answer, ms } = await timed(newcomer.ask('message', { message: 'x' }));
      expect(answer).toHaveProperty('data.success', true);
      pings.push(ms);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(pings.toSorted((a, b) => a - b).at(Math.floor(pings.length / 2))).toBeLessThan(50);
    expect(Math.max(...pings)).toBeLessThan(500);
    several.redis.resume();
    await resumed();
    // Who came meanwhile is announced now; nobody is gone; nothing is delivered again.
    if (!forgetful) expect(await bob.next('user-connected')).toMatchObject({ user: carol });
    expectNobodySaidGone();
    const heard = neighbour
      .all('room-message')
      .map((each) => (each as { message: string }).message);
    expect(heard.filter((message) => message === 'first' || message === 'second')).toEqual([]);
    expect(await users(1)).toEqual(['alice', 'bob', 'carol']);
  });

  test.for([
    ['with its data', true],
    ['without its data', false],
  ] as const)('restarted %s: all resumes, nobody is announced', async ([, keepData]) => {
    await startInOneRoom();
    await several.redis.kill();
    const local = await eventually(
      () => say(alice, 'alone'),
      (answer) => answer.data?.scope === 'local',
    );
    expect(local).toEqual({ data: { scope: 'local' } });
    expect(await neighbour.next('room-message')).toMatchObject({ message: 'alone' });
    expect(await alice.ask('ping')).toHaveProperty('data');
    await several.redis.restart({ keepData });
    await resumed();
    for (const number of [1, 2]) {
      await eventually(
        () => users(number),
        (each) => String(each) === 'alice,bob',
      );
    }
    const sessions = (await rest(several.node(2), 'GET /websocket/active-users')).body.users;
    expect(sessions).toContainEqual(expect.objectContaining({ id: 'alice', sessions: 2 }));
    expectNobodySaidGone();
    expect(bob.has('user-connected')).toBe(false);
    for (const node of several.nodes)
      expect(node.lines.filter((line) => line.level === 'fatal')).toEqual([]);
  });

  test('emptied while it runs: the lists are rebuilt, nobody is announced gone', async () => {
    several = await Several.start(2, backplane);
    // A backplane may move its sessions, whose mail is gone: they come back.
    const returning = { transports: ['websocket'], reconnectionDelay: 50 };
    for (const [number, person] of [ALICE, BOB].entries())
      clients.push((await connect(several.node(number + 1).url, person, returning)).client);
    await clients[0]?.next('user-connected');
    const admin = new Redis(several.redis.url);
    await admin.flushall();
    admin.disconnect();
    for (const number of [1, 2])
      await eventually(
        () => users(number),
        (each) => String(each) === 'alice,bob',
      );
    for (const client of clients)
      await eventually(async () => {
        await rest(several.node(1), 'POST /websocket/broadcast', { message: 'x' });
        return client.has('broadcast-notification');
      }, Boolean);
    for (const client of clients) expect(client.has('user-disconnected')).toBe(false);
  });

  test('who left meanwhile is said gone afterwards, once', async () => {
    await startInOneRoom();
    const leaving = await open(2, CAROL);
    await alice.next('user-connected');
    await several.redis.kill();
    leaving.close();
    await eventually(
      () => several.node(2).metric('streamgate_sessions'),
      (count) => count === 1,
    );
    await several.redis.restart();
    if (!forgetful)
      expect(await alice.next('user-disconnected', 20_000)).toMatchObject({ user: carol });
    await resumed();
    await eventually(
      () => users(2),
      (each) => String(each) === 'alice,bob',
      20_000,
    );
    expectNobodySaidGone('carol');
    if (!forgetful) expect(alice.has('user-disconnected')).toBe(false);
  });

  test('with STREAMGATE_READY_WITHOUT_REDIS=false readiness follows Redis, liveness never', async () => {
    several = await Several.start(1, backplane, { STREAMGATE_READY_WITHOUT_REDIS: 'false' });
    const node = several.node(1);
    expect(await readiness(node)).toBe(200);
    await several.redis.kill();
    await eventually(
      () => readiness(node),
      (status) => status === 503,
    );
    expect((await fetch(`${node.managementUrl}/health/live`)).status).toBe(200);
    await several.redis.restart();
    await eventually(
      () => readiness(node),
      (status) => status === 200,
    );
  });

  test('a node that starts before Redis does serves at once and joins by itself', async () => {
    several = await Several.start(2, backplane);
    await several.redis.kill();
    await several.node(2).stop();
    several.nodes[1] = await startNode({
      STREAMGATE_REDIS_URL: several.redis.url,
      STREAMGATE_BACKPLANE: backplane,
    });
    alice = await open(1, ALICE);
    neighbour = await open(1, ALICE);
    bob = await open(2, BOB);
    for (const client of clients) await client.ask('join-room', { room: 'general' });
    await several.redis.restart();
    await resumed();
    expect(await users(1)).toEqual(['alice', 'bob']);
  });
});
