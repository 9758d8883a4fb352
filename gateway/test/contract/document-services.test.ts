import { roleRoom } from '@streamgate/protocol/rooms';
import { describe, expect } from 'vitest';
import type { Client } from '../client.js';
import { ALICE, BOB, CAROL, document, row, type Cluster } from '../cluster.js';

/** What the documents' services send to rooms and to everyone, as commands, from another node. */
function documentServices(number: 3 | 4, rows: (the: Services) => void): void {
  document(number, (cluster) => {
    describe('services (as commands)', () => rows(new Services(cluster)));
  });
}

class Services {
  constructor(private readonly cluster: Cluster) {}

  connect(person: typeof ALICE): Promise<Client> {
    return this.cluster.connect(person, 'two');
  }

  /** Sends to the rooms, and expects the members to hear exactly that and the others nothing. */
  async heard(
    to: string[] | '*',
    event: string,
    data: unknown,
    members: Client[],
    others: Client[] = [],
  ): Promise<void> {
    const commands = [
      { to, event, data },
      { to: '*', event: 'marker', data: {} },
    ];
    const { body } = await this.cluster.rest('POST /v1/commands/batch', { commands });
    expect(body.outcomes).toMatchObject([{ outcome: 'done' }, { outcome: 'done' }]);
    for (const client of [...members, ...others]) {
      await client.next('marker');
      expect(client.all(event)).toEqual(members.includes(client) ? [data] : []);
    }
  }
}

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
