import { CompiledQuery, Kysely, PostgresDialect, sql } from 'kysely';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../../test/chat-store.js';
import { type TestPostgres, startPostgres } from '../../../test/postgres.js';
import { conversationsQuery } from './conversations.js';
import { pageQuery } from './messages.js';
import { SEND } from './send-statement.js';
import { type Db, SCHEMA, type Tables } from './tables.js';

/** How PostgreSQL reads a million messages, in a hundred conversations of two hundred users. */
let server: TestPostgres;
let db: Db;
beforeAll(async () => {
  server = await startPostgres({
    settings: [
      'maintenance_work_mem=256MB',
      'max_wal_size=4GB',
      'wal_level=minimal',
      'max_wal_senders=0',
    ],
  });
  const store = await openStore({ databaseUrl: server.url });
  await store.close();
  const pool = new Pool({ connectionString: server.url, max: 1 });
  db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) }).withSchema(SCHEMA);
  // Filled first and indexed then: that takes seconds, not minutes.
  const { rows: indexes } = await sql<{ name: string; definition: string }>`
    select indexname as name, indexdef as definition from pg_indexes
    where schemaname = ${SCHEMA} and tablename = 'messages' and indexname <> 'messages_pkey'`.execute(
    db,
  );
  for (const { name } of indexes) await sql`drop index ${sql.id(SCHEMA, name)}`.execute(db);
  for (const statement of [
    // Nor does a foreign key have to be looked up a million times.
    'set session_replication_role = replica',
    `insert into streamgate.conversations (kind, created_by, last_seq)
     select 'group', 'user-1', 10000 from generate_series(1, 100)`,
    `insert into streamgate.members (conversation_id, user_id)
     select 1 + (person + 20 * place) % 100, 'user-' || person
     from generate_series(0, 199) person, generate_series(0, 4) place`,
    `insert into streamgate.messages (conversation_id, seq, sender_id, type, content, client_message_id)
     select 1 + number % 100, 1 + number / 100, 'user-' || number % 100, 'text', 'hello', number::text
     from generate_series(0, 999999) number`,
    ...indexes.map(({ definition }) => definition),
    'set session_replication_role = origin',
  ])
    await db.executeQuery(CompiledQuery.raw(statement));
}, 120_000);
afterAll(async () => {
  await db.destroy();
  await server.stop();
});

/** What EXPLAIN says of a statement that was executed. */
async function planOf(query: CompiledQuery): Promise<string> {
  const { rows } = await db.executeQuery<{ 'QUERY PLAN': string }>(
    CompiledQuery.raw(`explain (analyze, costs off, timing off) ${query.sql}`, [
      ...query.parameters,
    ]),
  );
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

/** Before the first ANALYZE, and with what it finds. */
describe.each([false, true])('with statistics: %s', (isAnalyzed) => {
  beforeAll(async () => {
    if (isAnalyzed) await sql`vacuum analyze`.execute(db);
  });

  test.each([
    ['the newest', {}],
    ['before', { before: 5000 }],
    ['after', { after: 5000 }],
    ['between', { after: 5000, before: 5010 }],
  ])('a page of messages reads its rows out of one index: %s', async (_, range) => {
    const plan = await planOf(pageQuery(db, { conversationId: 7, limit: 50, ...range }).compile());
    // No more rows than the page has, and one to see whether there are more.
    expect(plan).toMatch(/Index Scan.* messages_page .*\(actual rows=(51|9) /);
    expect(plan).not.toMatch(/Seq Scan on messages|Rows Removed by Filter: [1-9]\d\d/);
  });

  test('a list of conversations looks up each last message', async () => {
    const plan = await planOf(conversationsQuery(db, 'user-7', { limit: 50 }).compile());
    expect(plan).toMatch(
      /(Index Scan using|Bitmap Index Scan on) messages_page .*actual rows=1 loops=5/,
    );
    expect(plan).not.toContain('Seq Scan on messages');
  });

  test('a message is looked for by its client id, and written, without reading others', async () => {
    const message = {
      ...{ place: 0, conversation_id: 7, sender_id: 'user-6', type: 'text', content: 'hi' },
      client_message_id: `new ${isAnalyzed}`,
    };
    const plan = await planOf(CompiledQuery.raw(SEND, [JSON.stringify([message])]));
    expect(plan).toContain('using messages_client_id on messages known');
    expect(plan).toContain('Insert on messages (actual rows=1');
    expect(plan).not.toMatch(/Seq Scan on messages|Rows Removed by Filter: [1-9]\d\d/);
  });
});
