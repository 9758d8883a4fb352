import { roleRoom, userRoom } from '@streamgate/protocol/rooms';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { connect, type Client } from '../client.js';
import { ALICE, BOB, CAROL, row, TOPOLOGIES } from '../cluster.js';
import { TRUSTED } from '../executor.js';
import { startInnerNode, type InnerNode } from '../inner-node.js';
import { startNode, type TestNode } from '../node.js';
import { startRedis, type TestRedis } from '../redis.js';
import type { Person } from '../tokens.js';

/**
 * What the documents' services send to rooms and to everyone. The REST door does not carry it, so
 * the test hands it to the executor, as the other doors will; with Redis the clients are on another
 * node than the one that executes.
 */
function documentServices(number: 1 | 3 | 4, rows: (the: Services) => void): void {
  describe(`document ${number}`, () => {
    describe.each(TOPOLOGIES)('on %s', (topology) => {
      const services = new Services();
      beforeAll(() => services.start(topology));
      afterEach(() => services.clear());
      afterAll(() => services.stop());
      describe('services (through the executor)', () => rows(services));
    });
  });
}

class Services {
  private redis: TestRedis | undefined;
  private outer: TestNode | undefined;
  private inner: InnerNode | undefined;
  private readonly clients: Client[] = [];

  async start(topology: (typeof TOPOLOGIES)[number]): Promise<void> {
    if (topology === 'memory') {
      this.inner = await startInnerNode();
      return;
    }
    this.redis = await startRedis();
    const env = { STREAMGATE_REDIS_URL: this.redis.url, STREAMGATE_BACKPLANE: topology };
    [this.outer, this.inner] = await Promise.all([startNode(env), startInnerNode(env)]);
  }

  clear(): void {
    for (const client of this.clients.splice(0)) client.close();
  }

  async stop(): Promise<void> {
    await this.outer?.stop();
    await this.inner?.close();
    await this.redis?.stop();
  }

  async connect(person: Person): Promise<Client> {
    const { client } = await connect((this.outer ?? this.inner)!.url, person);
    this.clients.push(client);
    return client;
  }

  /** @param to rooms, or `*` */
  async emit(to: string[] | '*', event: string, data: unknown): Promise<void> {
    await this.inner!.executor.execute({ action: 'emit', to, event, args: [data] }, TRUSTED);
  }

  /** Sends to the rooms, and expects the members to hear exactly that and the others nothing. */
  async heard(
    to: string[] | '*',
    event: string,
    data: unknown,
    members: Client[],
    others: Client[] = [],
  ): Promise<void> {
    await this.emit(to, event, data);
    await this.emit('*', 'marker', {});
    for (const client of [...members, ...others]) {
      await client.next('marker');
      expect(client.all(event)).toEqual(members.includes(client) ? [data] : []);
    }
  }
}

documentServices(1, (services) => {
  row('ws:broadcast', "{ event: 'system:maintenance', data }", async () => {
    const data = {
      message: 'System will be under maintenance in 10 minutes',
      scheduledAt: '2024-01-01T12:00:00Z',
    };
    const clients = [await services.connect(ALICE), await services.connect(BOB)];
    await services.heard('*', 'system:maintenance', data, clients);
  });

  row('ws:emit:users', '{ userIds, event, data }', async () => {
    const data = { teamId: 'team123', inviterName: 'John Doe' };
    const members = [await services.connect(ALICE), await services.connect(BOB)];
    const other = await services.connect(CAROL);
    const to = ['alice', 'bob', 'user3'].map(userRoom);
    await services.heard(to, 'team:invitation', data, members, [other]);
  });

  row('ws:emit:room', "{ room, event: 'user:joined', data } after join:room", async () => {
    const player = await services.connect(ALICE);
    const other = await services.connect(BOB);
    await services.emit([userRoom('alice')], 'join:room', { room: 'quiz:7' });
    expect(await player.next('join:room')).toEqual({ room: 'quiz:7' });
    const data = { userId: 'alice', joinedAt: '2024-01-01T12:00:00Z' };
    await services.heard(['quiz:7'], 'user:joined', data, [player], [other]);
    await services.emit([userRoom('alice')], 'leave:room', { room: 'quiz:7' });
    player.forget();
    await services.heard(['quiz:7'], 'user:joined', data, [], [player]);
  });
});

documentServices(3, (services) => {
  row('broadcastToAll', "'announcement'", async () => {
    const clients = [await services.connect(ALICE), await services.connect(BOB)];
    const data = { message: 'Hello', timestamp: '2026-02-07T10:00:00.000Z' };
    await services.heard('*', 'announcement', data, clients);
  });

  row('broadcastToRole', "'ADMIN', 'admin-notification'", async () => {
    const admin = await services.connect({ ...CAROL, roles: ['ADMIN'] });
    const other = await services.connect({ ...BOB, roles: ['admin'] });
    const data = { message: 'Hello', timestamp: '2026-02-07T10:00:00.000Z' };
    await services.heard([roleRoom('ADMIN')], 'admin-notification', data, [admin], [other]);
  });
});

documentServices(4, (services) => {
  const timestamp = '2026-02-07T10:00:00.000Z';
  const sent: [event: string, room: string, data: object][] = [
    [
      'notification',
      'course:123',
      { type: 'COURSE_ANNOUNCEMENT', title: 'Important Update', message: 'Please check' },
    ],
    [
      'discussion_message',
      'course:123',
      {
        id: 'msg-456',
        discussionId: 'discussion-789',
        userId: 'user-123',
        content: 'Great question!',
        timestamp,
      },
    ],
    [
      'discussion_reaction',
      'course:123',
      { discussionId: 'discussion-789', userId: 'user-123', reaction: '👍', timestamp },
    ],
    [
      'live_session_event',
      'live-session:456',
      {
        sessionId: 'live-session-456',
        type: 'screen_share',
        userId: 'instructor-789',
        data: { isSharing: true },
      },
    ],
    [
      'course_announcement',
      'course:course-123',
      { courseId: 'course-123', title: 'New Assignment Posted', message: 'Module 3', timestamp },
    ],
    [
      'course_update',
      'course:course-123',
      { courseId: 'course-123', type: 'new_lesson', title: 'New', message: 'Module 4', timestamp },
    ],
  ];
  for (const [event, room, data] of sent)
    row(event, `to ${room}`, async () => {
      const member = await services.connect(ALICE);
      const other = await services.connect(BOB);
      await member.ask('join_room', { room, type: 'discussion' });
      await services.heard([room], event, data, [member], [other]);
    });

  row('private_message', 'to private:{userId1}:{userId2}', async () => {
    const one = await services.connect(ALICE);
    const two = await services.connect(BOB);
    const other = await services.connect(CAROL);
    for (const client of [one, two]) await client.ask('join_room', { room: 'private:bob:alice' });
    const data = { from: 'alice', content: 'Hello' };
    await services.heard(['private:alice:bob'], 'private_message', data, [one, two], [other]);
  });

  row('system_announcement', 'to everyone', async () => {
    const clients = [await services.connect(ALICE), await services.connect(BOB)];
    await services.heard('*', 'system_announcement', { title: 'System Maintenance' }, clients);
  });
});
