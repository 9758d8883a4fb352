import { afterEach, describe, expect, test } from 'vitest';
import { Client, connect, eventually } from '../client.js';
import { ALICE, BOB, CAROL, bob } from '../cluster.js';
import { rest, type RestAnswer } from '../rest.js';
import { BACKPLANES, Several } from './several.js';

const DAVE = { id: 'dave', username: 'Dave' };
const quiet = { transports: ['websocket'], reconnection: false };

/** Within which what a dead node held is said gone, in seconds: max(15, offline seconds + 5). */
const LIMIT = 15;

describe.each(BACKPLANES)('a node is lost on %s', (backplane) => {
  let several: Several;
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
  const listed = async (node: number) =>
    (await rest(several.node(node), 'GET /websocket/active-users')).body.users as {
      id: string;
      sessions: number;
    }[];

  /** Asks who is in a room until a node knows. @returns what it said until then, and the last answer */
  async function lookUp(node: number, room: string) {
    const before: RestAnswer[] = [];
    for (;;) {
      const answer = await rest(several.node(node), `GET /v1/rooms/${room}`);
      if (answer.status === 200) return { before, found: answer.body };
      before.push(answer);
    }
  }

  test('SIGKILL leaves no ghost: announced once, the lists are right, a room is not told wrong', async () => {
    several = await Several.start(3, backplane);
    const witnesses = [await open(1, ALICE), await open(3, DAVE)];
    // Carol has a session elsewhere too: she does not go.
    const lost = [await open(2, BOB), await open(2, CAROL)];
    for (const client of [...witnesses, ...lost, await open(3, CAROL)])
      await client.ask('join-room', { room: 'general' });
    await several.node(2).kill();
    const killed = Date.now();
    const told = Promise.all([1, 3].map((number) => lookUp(number, 'general')));
    for (const witness of witnesses)
      expect(await witness.next('user-disconnected', 20_000)).toEqual({
        user: bob,
        timestamp: expect.any(String) as string,
        activeUsersCount: 3,
      });
    expect((Date.now() - killed) / 1000).toBeLessThan(LIMIT);
    for (const number of [1, 3]) {
      const users = await eventually(
        () => listed(number),
        (each) => each.every(({ sessions }) => sessions === 1),
      );
      expect(users.map(({ id }) => id).toSorted()).toEqual(['alice', 'carol', 'dave']);
    }
    // Once: a marker that was sent later is there, a second announcement is not.
    await rest(several.node(1), 'POST /websocket/broadcast', { message: 'marker' });
    for (const witness of witnesses) {
      await witness.next('broadcast-notification');
      expect(witness.has('user-disconnected')).toBe(false);
      expect(witness.all('user_presence')).toContainEqual(
        expect.objectContaining({ userId: 'bob', status: 'offline' }),
      );
    }
    for (const { before, found } of await told) {
      for (const { status, body } of before)
        expect({ status, body }).toMatchObject({
          status: 503,
          body: { code: 'backplane_unavailable', retryable: true },
        });
      expect(found).toMatchObject({
        sessions: 3,
        members: ['alice', 'carol', 'dave'].map((userId) => ({ userId, sessions: 1 })),
      });
    }
    const swept = await Promise.all(
      [1, 3].map((number) => several.node(number).metric('streamgate_sessions_swept_total')),
    );
    expect(swept.reduce((a, b) => a + b)).toBe(2);
  });

  test('a user who comes back to another node in time is not announced at all', async () => {
    several = await Several.start(2, backplane);
    const witness = await open(1, ALICE);
    await open(2, BOB);
    await witness.next('user-connected');
    await several.node(2).kill();
    const killed = Date.now();
    await open(1, BOB);
    // Until the dead node's sessions are swept, and the time in which it may be announced is over.
    await eventually(
      () => listed(1),
      (users) => users.find(({ id }) => id === 'bob')?.sessions === 1,
      20_000,
    );
    await eventually(
      () => Date.now() - killed,
      (passed) => passed > LIMIT * 1000,
      20_000,
    );
    expect(witness.has('user-disconnected')).toBe(false);
    expect(witness.has('user-connected')).toBe(false);
  });

  test('SIGSTOP for longer than its lease: announced gone, and back when it is continued', async () => {
    several = await Several.start(2, backplane);
    const witness = await open(1, ALICE);
    const sleeper = await open(2, BOB);
    await sleeper.ask('join-room', { room: 'general' });
    await witness.ask('join-room', { room: 'general' });
    await witness.next('user-connected');
    several.node(2).pause();
    const body = { userId: 'bob', event: 'asleep', message: { n: 1 } };
    expect((await rest(several.node(1), 'POST /api/gateway/send', body)).status).toBe(200);
    expect(await witness.next('user-disconnected', 20_000)).toMatchObject({ user: bob });
    expect((await listed(1)).map(({ id }) => id)).toEqual(['alice']);
    several.node(2).resume();
    expect(await witness.next('user-connected', 20_000)).toMatchObject({
      user: bob,
      activeUsersCount: 2,
    });
    for (const number of [1, 2])
      expect((await listed(number)).map(({ id }) => id).toSorted()).toEqual(['alice', 'bob']);
    // The session was there all the time, and is in its rooms.
    expect(sleeper.socket.connected).toBe(true);
    expect(await sleeper.next('asleep')).toEqual({ n: 1 });
    await sleeper.ask('room-message', { room: 'general', message: 'awake' });
    expect(await witness.next('room-message')).toMatchObject({ message: 'awake' });
    await witness.ask('room-message', { room: 'general', message: 'good morning' });
    await sleeper.next('room-message');
    expect(await sleeper.next('room-message')).toMatchObject({ message: 'good morning' });
    expect(witness.has('user-disconnected')).toBe(false);
  });
});
