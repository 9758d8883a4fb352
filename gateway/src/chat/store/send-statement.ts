import { CompiledQuery } from 'kysely';
import type { NewMessage, Sent } from './chat-store.js';
import { messageById } from './messages.js';
import type { Db } from './tables.js';

/**
 * Any number of messages in one statement, which is one transaction and one round trip. As text,
 * so that it is not put together anew for each: it is what chat spends its time on.
 *
 * - `locked`: who numbers messages of a conversation holds its row until the commit, so numbers have
 *   no gaps and are committed in order. All take the rows in one order: nobody waits in a circle.
 * - `judged`: those whose sender is a member, and as what they are known by their sender's own id.
 *   One that is known only since this statement began breaks the unique index instead.
 *   Members are locked so that they are read as they are now: the statement sees what there was
 *   when it began, and may have waited behind a removal.
 * - `counted`, `written`: the others get the next numbers in the order asked, and ids in that order.
 * - `noted`: what a member wrote itself is not unread to it.
 */
export const SEND = `
with asked as (
  select * from json_to_recordset($1::json) as asked(
    place int, conversation_id bigint, sender_id text, type text, content text,
    attachment jsonb, client_message_id text)
), locked as (
  select id from streamgate.conversations
  where id in (select conversation_id from asked)
  order by id for no key update
), judged as (
  select asked.*, known.id as known_id from asked
  join locked on locked.id = asked.conversation_id
  join streamgate.members on members.conversation_id = asked.conversation_id
    and members.user_id = asked.sender_id
  left join streamgate.messages known on known.conversation_id = asked.conversation_id
    and known.sender_id = asked.sender_id
    and known.client_message_id = asked.client_message_id
  for key share of members
), fresh as (
  select *, clock_timestamp() as at,
    row_number() over (partition by conversation_id order by place) as number
  from judged where known_id is null
), counted as (
  update streamgate.conversations
  set last_seq = last_seq + fresh_of.count, updated_at = clock_timestamp()
  from (select conversation_id, count(*) from fresh group by conversation_id) fresh_of
  where id = fresh_of.conversation_id
  returning id, last_seq - fresh_of.count as before
), written as (
  insert into streamgate.messages
    (conversation_id, seq, sender_id, type, content, attachment, client_message_id,
      created_at, updated_at)
  select conversation_id, before + number, sender_id, type, content, attachment, client_message_id,
    at, at
  from fresh join counted on counted.id = fresh.conversation_id
  order by conversation_id, number
  returning id, conversation_id, seq, sender_id, created_at
), noted as (
  update streamgate.members set last_sent_seq = latest.seq
  from (
    select conversation_id, sender_id, max(seq) as seq from written group by 1, 2
  ) latest
  where members.conversation_id = latest.conversation_id and user_id = latest.sender_id
)
select fresh.place, written.id, written.seq, written.created_at
from written
join counted on counted.id = written.conversation_id
join fresh on fresh.conversation_id = written.conversation_id
  and fresh.number = written.seq - counted.before
union all
select place, known_id, null, null from judged where known_id is not null`;

interface Row {
  place: number;
  id: number;
  /** Null when the message was there before. */
  seq: number | null;
  created_at: Date;
}

/**
 * Writes the messages, all or none. No two of them may have one sender, conversation and client id.
 * @returns in their order; undefined for one whose sender is not a member
 */
export async function writeMessages(
  db: Db,
  messages: readonly NewMessage[],
): Promise<(Sent | undefined)[]> {
  const asked = messages.map((message, place) => ({
    place,
    conversation_id: message.conversationId,
    sender_id: message.senderId,
    type: message.type,
    content: message.content,
    attachment: message.attachment,
    client_message_id: message.clientMessageId,
  }));
  const { rows } = await db.executeQuery<Row>(CompiledQuery.raw(SEND, [JSON.stringify(asked)]));
  const outcomes = messages.map((): Sent | undefined => undefined);
  for (const row of rows) outcomes[row.place] = await outcomeOf(db, messages[row.place]!, row);
  return outcomes;
}

async function outcomeOf(
  db: Db,
  { conversationId, senderId, type, content, attachment, clientMessageId }: NewMessage,
  { id, seq, created_at }: Row,
): Promise<Sent | undefined> {
  if (seq === null) {
    const message = await messageById(db, id);
    return message && { message, duplicate: true };
  }
  const message = {
    ...{ id, conversationId, seq, senderId, type, content, attachment, clientMessageId },
    createdAt: created_at,
    updatedAt: created_at,
    deletedAt: undefined,
    reactions: [],
  };
  return { message, duplicate: false };
}
