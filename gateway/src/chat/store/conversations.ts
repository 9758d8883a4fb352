import { type ExpressionBuilder, type Selectable, sql } from 'kysely';
import { jsonArrayFrom, jsonObjectFrom } from 'kysely/helpers/postgres';
import { MEMBERS_MAX } from '@streamgate/protocol/chat';
import { GatewayError } from '@streamgate/protocol/errors';
import type {
  Conversation,
  ConversationPage,
  ConversationWithMembers,
  Member,
  NewConversation,
  Page,
} from './chat-store.js';
import { MESSAGE_COLUMNS, type MessageRow, reactionsOf, toMessage } from './messages.js';
import { UNREAD } from './receipts.js';
import type { Db, Tables } from './tables.js';

type ConversationRow = Selectable<Tables['conversations']>;

/** The year 9999: of what is later than a JavaScript date can be, the database cannot be asked. */
const NEWEST_MS = Date.UTC(9999, 11);

const CONVERSATION_COLUMNS = [
  'conversations.id',
  'conversations.kind',
  'conversations.title',
  'conversations.created_by',
  'conversations.direct_low',
  'conversations.direct_high',
  'conversations.last_seq',
  'conversations.created_at',
  'conversations.updated_at',
] as const;

function toConversation(row: ConversationRow): Conversation {
  return {
    id: row.id,
    kind: row.kind,
    title: row.title ?? undefined,
    createdBy: row.created_by,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lastSeq: row.last_seq,
  };
}

export async function createConversation(
  db: Db,
  { kind, createdBy, members, title }: NewConversation,
): Promise<{ conversation: ConversationWithMembers; created: boolean }> {
  const userIds = [...new Set(members)];
  // As the database compares, by bytes: JavaScript has other ids of a pair be less.
  const [low, high] = userIds.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  if (kind === 'direct' ? userIds.length !== 2 : userIds.length > MEMBERS_MAX)
    throw new GatewayError('invalid_payload');
  const pair = kind === 'direct' ? { direct_low: low, direct_high: high } : {};
  const made = await db
    .with('made', (cte) =>
      cte
        .insertInto('conversations')
        .values({ kind, created_by: createdBy, title: title || null, ...pair })
        // The pair has one already, or gets one at this moment.
        .onConflict((conflict) => conflict.doNothing())
        .returning('id'),
    )
    .with('joined', (cte) =>
      cte
        .insertInto('members')
        .columns(['conversation_id', 'user_id', 'role'])
        .expression((eb) =>
          eb
            .selectFrom('made')
            .select([
              'made.id',
              sql<string>`unnest(${userIds}::text[])`.as('user_id'),
              sql<'owner' | 'member'>`unnest(${userIds.map((userId) =>
                kind === 'group' && userId === createdBy ? 'owner' : 'member',
              )}::text[])`.as('role'),
            ]),
        ),
    )
    .selectFrom('made')
    .select('id')
    .executeTakeFirst();
  const conversation = await withMembers(db, (eb) =>
    made
      ? eb('conversations.id', '=', made.id)
      : eb.and([
          eb('conversations.kind', '=', 'direct'),
          eb('conversations.direct_low', '=', low ?? ''),
          eb('conversations.direct_high', '=', high ?? ''),
        ]),
  );
  if (!conversation) throw new Error('a conversation that was just there is gone');
  return { conversation, created: made !== undefined };
}

export function conversationOf(
  db: Db,
  conversationId: number,
  userId: string,
): Promise<ConversationWithMembers | undefined> {
  return withMembers(db, (eb) =>
    eb.and([
      eb('conversations.id', '=', conversationId),
      eb.exists(
        eb
          .selectFrom('members')
          .select('members.user_id')
          .whereRef('members.conversation_id', '=', 'conversations.id')
          .where('members.user_id', '=', userId),
      ),
    ]),
  );
}

async function withMembers(
  db: Db,
  which: (
    eb: ExpressionBuilder<Tables, 'conversations'>,
  ) => ReturnType<ExpressionBuilder<Tables, 'conversations'>['and']>,
): Promise<ConversationWithMembers | undefined> {
  const row = await db
    .selectFrom('conversations')
    .select(CONVERSATION_COLUMNS)
    .select((eb) =>
      jsonArrayFrom(
        eb
          .selectFrom('members')
          .select([
            'members.user_id as userId',
            'members.role',
            'members.joined_at as joinedAt',
            'members.last_read_seq as lastReadSeq',
            'members.last_delivered_seq as lastDeliveredSeq',
          ])
          .whereRef('members.conversation_id', '=', 'conversations.id')
          .orderBy('members.joined_at')
          .orderBy('members.user_id'),
      ).as('members'),
    )
    .where(which)
    .executeTakeFirst();
  if (!row) return undefined;
  const members = row.members.map((member): Member => ({
    ...member,
    joinedAt: new Date(member.joinedAt),
  }));
  return { ...toConversation(row), members };
}

/** The statement of a page of the list, apart so that a test can ask how it is executed. */
export function conversationsQuery(db: Db, userId: string, { limit, cursor }: Page) {
  const before = cursor === undefined ? undefined : readCursor(cursor);
  return db
    .selectFrom('members')
    .innerJoin('conversations', 'conversations.id', 'members.conversation_id')
    .select(CONVERSATION_COLUMNS)
    .select((eb) => [
      UNREAD.as('unread'),
      jsonObjectFrom(
        eb
          .selectFrom('messages')
          .select(MESSAGE_COLUMNS)
          .select(reactionsOf)
          .whereRef('messages.conversation_id', '=', 'conversations.id')
          .whereRef('messages.seq', '=', 'conversations.last_seq'),
      ).as('last'),
    ])
    .where('members.user_id', '=', userId)
    .$if(before !== undefined, (query) =>
      query.where(
        sql<boolean>`(conversations.updated_at, conversations.id) < (${before?.at}, ${before?.id})`,
      ),
    )
    .orderBy('conversations.updated_at', 'desc')
    .orderBy('conversations.id', 'desc')
    .limit(limit + 1);
}

export async function conversationsOf(
  db: Db,
  userId: string,
  page: Page,
): Promise<ConversationPage> {
  const rows = await conversationsQuery(db, userId, page).execute();
  const { count } = await db
    .selectFrom('members')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('user_id', '=', userId)
    .executeTakeFirstOrThrow();
  const shown = rows.slice(0, page.limit);
  const conversations = shown.map((row) => ({
    ...toConversation(row),
    peerId: peerOf(row, userId),
    lastMessage: row.last ? toMessage(fromJson(row.last)) : undefined,
    unread: row.unread,
  }));
  const end = shown.at(-1);
  return {
    conversations,
    nextCursor: end && rows.length > page.limit ? writeCursor(end) : undefined,
    count,
  };
}

function peerOf(row: ConversationRow, userId: string): string | undefined {
  return (row.direct_low === userId ? row.direct_high : row.direct_low) ?? undefined;
}

/** Dates come as text out of JSON. */
function fromJson(
  row: Omit<MessageRow, 'created_at' | 'updated_at' | 'deleted_at'> & {
    created_at: string;
    updated_at: string;
    deleted_at: string | null;
  },
): MessageRow {
  return {
    ...row,
    created_at: new Date(row.created_at),
    updated_at: new Date(row.updated_at),
    deleted_at: row.deleted_at === null ? null : new Date(row.deleted_at),
  };
}

function writeCursor({ updated_at, id }: ConversationRow): string {
  return Buffer.from(`${updated_at.getTime()}.${id}`).toString('base64url');
}

function readCursor(cursor: string): { at: Date; id: number } {
  const [, at, id] = /^(\d{1,15})\.(\d{1,15})$/.exec(
    Buffer.from(cursor, 'base64url').toString(),
  ) ?? ['', '', ''];
  if (at === '' || Number(at) > NEWEST_MS) throw new GatewayError('invalid_payload');
  return { at: new Date(Number(at)), id: Number(id) };
}

export async function renameConversation(
  db: Db,
  conversationId: number,
  title: string,
): Promise<Conversation | undefined> {
  const row = await db
    .updateTable('conversations')
    .set({ title: title || null, updated_at: sql`clock_timestamp()` })
    .where('id', '=', conversationId)
    .returning(CONVERSATION_COLUMNS)
    .executeTakeFirst();
  return row && toConversation(row);
}
