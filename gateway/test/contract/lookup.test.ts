import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ALICE, BOB, Cluster, TOPOLOGIES } from '../cluster.js';

describe.each(TOPOLOGIES)('who is where, on %s', (topology) => {
  const cluster = new Cluster(topology);
  beforeAll(() => cluster.start());
  afterEach(() => cluster.clear());
  afterAll(() => cluster.stop());

  test('a room has the sessions of all nodes', async () => {
    const clients = [
      await cluster.connect(ALICE, 'one'),
      await cluster.connect(ALICE, 'two'),
      await cluster.connect(BOB, 'two'),
    ];
    for (const client of clients) await client.ask('join-room', { room: 'quiz:7' });
    const members = [
      { userId: 'alice', sessions: 2 },
      { userId: 'bob', sessions: 1 },
    ];
    const { body } = await cluster.rest('GET /v1/rooms/quiz:7');
    expect(body).toEqual({ room: 'quiz:7', sessions: 3, users: 2, members });
    await clients[2]!.ask('leave-room', { room: 'quiz:7' });
    expect((await cluster.rest('GET /v1/rooms/quiz:7')).body).toMatchObject({ users: 1 });
    expect((await cluster.rest('GET /v1/rooms/user:bob')).body).toMatchObject({ sessions: 1 });
  });

  test('a user with the sessions of all nodes', async () => {
    await cluster.connect(ALICE, 'one');
    await cluster.connect(ALICE, 'two');
    expect((await cluster.rest('GET /v1/users/alice')).body).toMatchObject({
      connected: true,
      sessions: 2,
      user: { id: 'alice' },
    });
    expect((await cluster.rest('GET /v1/users/bob')).body).toEqual({
      userId: 'bob',
      connected: false,
      sessions: 0,
    });
  });
});
