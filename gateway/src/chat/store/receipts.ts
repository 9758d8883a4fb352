import { sql } from 'kysely';
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
    .select(['seq', 'unread', 'changed'])
    .executeTakeFirst();
}
