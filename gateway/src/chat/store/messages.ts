import { type ExpressionBuilder, type Selectable, sql } from 'kysely';
import { jsonArrayFrom } from 'kysely/helpers/postgres';
import type {
  Message,
  MessagePage,
  MessageRange,
  Reacted,
  Reaction,
  ReactionChange,
} from './chat-store.js';
import { REACTIONS_MAX } from './chat-store.js';
import type { Db, Messages, Tables } from './tables.js';

/** A message as it is read: its columns, and the reactions in one question with it. */
export interface MessageRow extends Selectable<Messages> {
  reactions: Reaction[];
}

export const MESSAGE_COLUMNS = [
  'messages.id',
  'messages.conversation_id',
  'messages.seq',
  'messages.sender_id',
  'messages.type',
  'messages.content',
  'messages.attachment',
  'messages.client_message_id',
  'messages.created_at',
  'messages.updated_at',
  'messages.deleted_at',
] as const;

/** Of the message at hand, the reaction that was given first first. */
export function reactionsOf(eb: ExpressionBuilder<Tables, 'messages'>) {
  return jsonArrayFrom(
    eb
      .selectFrom('reactions')
      .select([
        'reaction',
        sql<string[]>`array_agg(user_id order by created_at, user_id)`.as('userIds'),
      ])
      .whereRef('message_id', '=', 'messages.id')
      .groupBy('reaction')
      .orderBy(sql`min(created_at)`)
      .orderBy('reaction'),
  ).as('reactions');
}

export function toMessage(row: MessageRow): Message {
  return {
    id: row.id,
    conversationId: row.conversation_id,
    seq: row.seq,
    senderId: row.sender_id,
    type: row.type,
    content: row.content,
    attachment: row.attachment ?? undefined,
    clientMessageId: row.client_message_id ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    deletedAt: row.deleted_at ?? undefined,
    reactions: row.reactions,
  };
}

/** The statement of a page, apart so that a test can ask how it is executed. */
export function pageQuery(db: Db, { conversationId, after, before, limit }: MessageRange) {
  const forward = after !== undefined;
  return db
    .selectFrom('messages')
    .select(MESSAGE_COLUMNS)
    .select(reactionsOf)
    .where('conversation_id', '=', conversationId)
    .$if(forward, (query) => query.where('seq', '>', after ?? 0))
    .$if(before !== undefined, (query) => query.where('seq', '<', before ?? 0))
    .orderBy('seq', forward ? 'asc' : 'desc')
    .limit(limit + 1);
}

export async function messagePage(db: Db, range: MessageRange): Promise<MessagePage> {
  const rows = await pageQuery(db, range).execute();
  const messages = rows.slice(0, range.limit).map(toMessage);
  if (range.after === undefined) messages.reverse();
  return { messages, more: rows.length > range.limit };
}

export async function messageById(db: Db, id: number): Promise<Message | undefined> {
  const row = await db
    .selectFrom('messages')
    .select(MESSAGE_COLUMNS)
    .select(reactionsOf)
    .where('id', '=', id)
    .executeTakeFirst();
  return row && toMessage(row);
}

export async function editMessage(
  db: Db,
  id: number,
  senderId: string,
  content: string,
): Promise<Message | undefined> {
  const row = await db
    .updateTable('messages')
    .set({ content, updated_at: sql`clock_timestamp()` })
    .where((eb) => ownAndThere(eb, id, senderId))
    .returning(MESSAGE_COLUMNS)
    .returning(reactionsOf)
    .executeTakeFirst();
  return row && toMessage(row);
}

export async function removeMessage(
  db: Db,
  id: number,
  senderId: string,
): Promise<Message | undefined> {
  const row = await db
    .with('removed', (cte) =>
      cte
        .updateTable('messages')
        .set({
          content: '',
          attachment: null,
          updated_at: sql`clock_timestamp()`,
          deleted_at: sql`clock_timestamp()`,
        })
        .where((eb) => ownAndThere(eb, id, senderId))
        .returning(MESSAGE_COLUMNS),
    )
    .with('forgotten', (cte) =>
      cte
        .deleteFrom('reactions')
        .using('removed')
        .whereRef('reactions.message_id', '=', 'removed.id'),
    )
    .selectFrom('removed')
    .selectAll()
    .executeTakeFirst();
  return row && toMessage({ ...row, reactions: [] });
}

/** The sender is still a member, and has not deleted it. */
function ownAndThere(eb: ExpressionBuilder<Tables, 'messages'>, id: number, senderId: string) {
  return eb.and([
    eb('messages.id', '=', id),
    eb('messages.sender_id', '=', senderId),
    eb('messages.deleted_at', 'is', null),
    eb.exists(
      eb
        .selectFrom('members')
        .select('members.user_id')
        .whereRef('members.conversation_id', '=', 'messages.conversation_id')
        .where('members.user_id', '=', senderId),
    ),
  ]);
}

export async function react(
  db: Db,
  { messageId, userId, reaction, on }: ReactionChange,
): Promise<Reacted | undefined> {
  const target = db.with('target', (cte) =>
    cte
      .selectFrom('messages')
      .innerJoin('members', 'members.conversation_id', 'messages.conversation_id')
      .select(['messages.id', 'messages.conversation_id', 'messages.seq'])
      .where('messages.id', '=', messageId)
      .where('messages.deleted_at', 'is', null)
      .where('members.user_id', '=', userId),
  );
  const changed = on
    ? target.with('changed', (cte) =>
        cte
          .insertInto('reactions')
          .columns(['message_id', 'user_id', 'reaction'])
          .expression((eb) =>
            eb
              .selectFrom('target')
              .select([
                'target.id',
                sql.val(userId).as('user_id'),
                sql.val(reaction).as('reaction'),
              ])
              .where(
                (own) =>
                  own
                    .selectFrom('reactions')
                    .select(({ fn }) => fn.countAll<number>().as('count'))
                    .where('message_id', '=', messageId)
                    .where('user_id', '=', userId),
                '<',
                REACTIONS_MAX,
              ),
          )
          .onConflict((conflict) => conflict.doNothing())
          .returning('reactions.message_id'),
      )
    : target.with('changed', (cte) =>
        cte
          .deleteFrom('reactions')
          .using('target')
          .whereRef('reactions.message_id', '=', 'target.id')
          .where('reactions.user_id', '=', userId)
          .where('reactions.reaction', '=', reaction)
          .returning('reactions.message_id'),
      );
  const row = await changed
    .selectFrom('target')
    .select((eb) => [
      'target.conversation_id',
      'target.seq',
      eb.exists(eb.selectFrom('changed').select('changed.message_id')).as('changed'),
    ])
    .executeTakeFirst();
  return (
    row && { conversationId: row.conversation_id, seq: row.seq, changed: Boolean(row.changed) }
  );
}
