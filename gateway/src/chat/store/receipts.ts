import { RECEIPTS_TO_ALL_MAX } from '@streamgate/protocol/chat';
import { type RawBuilder, sql } from 'kysely';
import type { Marked, Receipt, Unread } from './chat-store.js';
import type { Db } from './tables.js';

/**
 * Messages behind what the member has read, and behind the last that it wrote itself: whoever
 * answers has seen what is above. So the number costs a subtraction, however many they are.
 */
export const UNREAD = sql<number>`conversations.last_seq
  - greatest(members.last_read_seq, members.last_sent_seq)`;

export function unreadConversations(db: Db, userId: string, limit: number): Promise<Unread[]> {
  return db
    .selectFrom('members')
    .innerJoin('conversations', 'conversations.id', 'members.conversation_id')
    .select(['conversations.id as conversationId', UNREAD.as('unread')])
    .where('members.user_id', '=', userId)
    .where(UNREAD, '>', 0)
    .orderBy('conversations.updated_at', 'desc')
    .limit(limit)
    .execute();
}

/** Of the newest of so many messages the writers are told that they were read or have arrived. */
const WRITERS_OF = 200;

/** Moves a user's mark of what it has read, or of what has arrived, forward and never back. */
export function mark(
  db: Db,
  { conversationId, userId, messageId }: Receipt,
  what: 'read' | 'delivered',
): Promise<Marked | undefined> {
  const column = what === 'read' ? 'last_read_seq' : 'last_delivered_seq';
  return db
    .with('target', (cte) =>
      cte
        .selectFrom('members')
        .innerJoin('conversations', 'conversations.id', 'members.conversation_id')
        .innerJoin('messages', 'messages.conversation_id', 'members.conversation_id')
        .select((eb) => [
          'messages.seq as said',
          `members.${column} as was`,
          eb.fn<number>('greatest', [column, 'messages.seq']).as('seq'),
          eb(column, '<', eb.ref('messages.seq')).$castTo<boolean>().as('changed'),
          (what === 'read'
            ? sql<number>`least(${UNREAD}, conversations.last_seq - messages.seq)`
            : UNREAD
          ).as('unread'),
        ])
        .where('members.conversation_id', '=', conversationId)
        .where('members.user_id', '=', userId)
        .where('messages.id', '=', messageId),
    )
    .with('moved', (cte) =>
      cte
        .updateTable('members')
        .from('target')
        .set((eb) => {
          const further = (mine: 'last_read_seq' | 'last_delivered_seq') => ({
            [mine]: eb.fn<number>('greatest', [mine, 'target.said']),
          });
          return { ...further('last_delivered_seq'), ...further(column) };
        })
        .where('conversation_id', '=', conversationId)
        .where('user_id', '=', userId)
        .where('target.changed', '=', true),
    )
    .selectFrom('target')
    .select(['seq', 'unread', 'changed', writers(conversationId, userId).as('writers')])
    .executeTakeFirst()
    .then((marked) => marked && { ...marked, writers: marked.writers ?? undefined });
}

/** Null in a conversation that is small enough to tell everybody. */
function writers(conversationId: number, userId: string): RawBuilder<string[] | null> {
  return sql`case when target.changed and ${RECEIPTS_TO_ALL_MAX} < (
      select count(*) from (
        select from streamgate.members where conversation_id = ${conversationId}
        limit ${RECEIPTS_TO_ALL_MAX + 1}
      ) as counted
    ) then array(
      select distinct sender_id from (
        select sender_id from streamgate.messages
        where conversation_id = ${conversationId} and seq > target.was and seq <= target.said
        order by seq desc limit ${WRITERS_OF}
      ) as marked
      where sender_id <> ${userId} and exists (
        select from streamgate.members
        where conversation_id = ${conversationId} and user_id = sender_id
      )
    ) end`;
}
