import { sql, type Transaction } from 'kysely';
import { MEMBERS_MAX, type UserStatus } from '@streamgate/protocol/chat';
import type { ConversationKind, Membership, MembershipOutcome } from './chat-store.js';
import type { Db, Tables } from './tables.js';

/** The groups that contacts are looked for in are read up to this many times the limit. */
const SPREAD = 10;

/**
 * Changes who is in a conversation; nobody comes, goes or writes meanwhile.
 * @returns `missing` where there is none, else what `change` returns
 */
function changeMembers(
  db: Db,
  conversationId: number,
  change: (
    trx: Transaction<Tables>,
    conversation: { kind: ConversationKind; last_seq: number },
  ) => Promise<MembershipOutcome>,
): Promise<MembershipOutcome> {
  return db.transaction().execute(async (trx) => {
    const conversation = await trx
      .selectFrom('conversations')
      .select(['kind', 'last_seq'])
      .where('id', '=', conversationId)
      .forNoKeyUpdate()
      .executeTakeFirst();
    return conversation ? change(trx, conversation) : 'missing';
  });
}

export function addMember(
  db: Db,
  conversationId: number,
  userId: string,
): Promise<MembershipOutcome> {
  return changeMembers(db, conversationId, async (trx, { kind, last_seq }) => {
    const members = await trx
      .selectFrom('members')
      .select(({ fn }) => [
        fn.countAll<number>().as('count'),
        sql<boolean>`coalesce(bool_or(user_id = ${userId}), false)`.as('there'),
      ])
      .where('conversation_id', '=', conversationId)
      .executeTakeFirstOrThrow();
    if (members.there) return 'unchanged';
    if (kind === 'direct') return 'direct';
    if (members.count >= MEMBERS_MAX) return 'full';
    await trx
      .insertInto('members')
      .values({
        conversation_id: conversationId,
        user_id: userId,
        role: members.count === 0 ? 'owner' : 'member',
        last_read_seq: last_seq,
        last_delivered_seq: last_seq,
      })
      .execute();
    return 'changed';
  });
}

export function removeMember(
  db: Db,
  conversationId: number,
  userId: string,
): Promise<MembershipOutcome> {
  return changeMembers(db, conversationId, async (trx, { kind }) => {
    if (kind === 'direct') return 'direct';
    const removed = await trx
      .deleteFrom('members')
      .where('conversation_id', '=', conversationId)
      .where('user_id', '=', userId)
      .returning('role')
      .executeTakeFirst();
    if (!removed) return 'unchanged';
    if (removed.role === 'owner') await promoteOldest(trx, conversationId);
    return 'changed';
  });
}

async function promoteOldest(trx: Transaction<Tables>, conversationId: number): Promise<void> {
  await trx
    .updateTable('members')
    .set({ role: 'owner' })
    .where('conversation_id', '=', conversationId)
    .where('user_id', '=', (eb) =>
      eb
        .selectFrom('members')
        .select('user_id')
        .where('conversation_id', '=', conversationId)
        .orderBy('joined_at')
        .orderBy('user_id')
        .limit(1),
    )
    .execute();
}

export async function isMember(db: Db, conversationId: number, userId: string): Promise<boolean> {
  const row = await db
    .selectFrom('members')
    .select('role')
    .where('conversation_id', '=', conversationId)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return row !== undefined;
}

export async function strangers(db: Db, pairs: readonly Membership[]): Promise<Membership[]> {
  const conversations = pairs.map(({ conversationId }) => conversationId);
  const users = pairs.map(({ userId }) => userId);
  const { rows } = await sql<{ conversation_id: number; user_id: string }>`
    select pair.conversation_id, pair.user_id
    from unnest(${conversations}::bigint[], ${users}::text[]) as pair (conversation_id, user_id)
    where not exists (
      select from streamgate.members
      where members.conversation_id = pair.conversation_id and members.user_id = pair.user_id
    )`.execute(db);
  return rows.map((row) => ({
    conversationId: row.conversation_id,
    userId: row.user_id,
  }));
}

export async function membersOf(db: Db, conversationId: number): Promise<string[]> {
  const rows = await db
    .selectFrom('members')
    .select('user_id')
    .where('conversation_id', '=', conversationId)
    .orderBy('joined_at')
    .orderBy('user_id')
    .execute();
  return rows.map((row) => row.user_id);
}

export async function contactsOf(db: Db, userId: string, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom((eb) =>
      eb
        .selectFrom('members as mine')
        .innerJoin('members as others', 'others.conversation_id', 'mine.conversation_id')
        .select('others.user_id')
        .where('mine.user_id', '=', userId)
        .where('others.user_id', '!=', userId)
        .limit(limit * SPREAD)
        .as('contacts'),
    )
    .select('user_id')
    .distinct()
    .limit(limit)
    .execute();
  return rows.map((row) => row.user_id);
}

export async function setStatus(db: Db, userId: string, status: UserStatus): Promise<void> {
  await db
    .insertInto('statuses')
    .values({ user_id: userId, status })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet({ status }))
    .execute();
}

export async function statusesOf(
  db: Db,
  userIds: readonly string[],
): Promise<Map<string, UserStatus>> {
  const rows = await db
    .selectFrom('statuses')
    .selectAll()
    .where('user_id', '=', sql<string>`any(${[...userIds]}::text[])`)
    .execute();
  return new Map(rows.map((row) => [row.user_id, row.status]));
}
