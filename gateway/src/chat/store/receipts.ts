import { type ExpressionBuilder, type RawBuilder, sql } from 'kysely';
import type { Marked, Receipt, Unread } from './chat-store.js';
import type { Db, Tables } from './tables.js';

/**
 * Messages behind what the user has read, and behind the last that it wrote itself: whoever answers
 * has seen what is above. So the number costs two looks into an index, however many they are.
 */
export function unreadOf(
  eb: ExpressionBuilder<Tables, 'conversations' | 'members'>,
  read: RawBuilder<number> = sql.ref('members.last_read_seq'),
) {
  const own = eb
    .selectFrom('messages')
    .select('messages.seq')
    .whereRef('messages.conversation_id', '=', 'conversations.id')
    .whereRef('messages.sender_id', '=', 'members.user_id')
    .orderBy('messages.seq', 'desc')
    .limit(1);
  return sql<number>`conversations.last_seq - greatest(${read}, ${own})`;
}

export function unreadConversations(db: Db, userId: string, limit: number): Promise<Unread[]> {
  return db
    .selectFrom('members')
    .innerJoin('conversations', 'conversations.id', 'members.conversation_id')
    .select((eb) => [
      'conversations.id as conversationId',
      unreadOf(eb).as('unread'),
      'conversations.last_seq as lastSeq',
    ])
    .where('members.user_id', '=', userId)
    .whereRef('conversations.last_seq', '>', 'members.last_read_seq')
    .where((eb) => sql<boolean>`${unreadOf(eb)} > 0`)
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
          sql<number>`greatest(${eb.ref(`members.${column}`)}, messages.seq)`.as('seq'),
          sql<boolean>`${eb.ref(`members.${column}`)} < messages.seq`.as('changed'),
          unreadOf(
            eb,
            what === 'read' ? sql<number>`members.last_read_seq, messages.seq` : undefined,
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
        .set((eb) => ({
          last_delivered_seq: eb.fn<number>('greatest', ['last_delivered_seq', 'target.said']),
          ...(what === 'read'
            ? { last_read_seq: eb.fn<number>('greatest', ['last_read_seq', 'target.said']) }
            : {}),
        }))
        .where('conversation_id', '=', conversationId)
        .where('user_id', '=', userId)
        .where('target.changed', '=', true),
    )
    .selectFrom('target')
    .select(['seq', 'unread', 'changed'])
    .executeTakeFirst();
}
