import { SignJWT } from 'jose';
import { Pool } from 'pg';
import { startPostgres } from '../../test/postgres.js';
import { secret, startOurs } from '../candidates.js';
import { interleave, newUsers, type Row, type Run, type Sample } from '../measure.js';
import type { Server } from '../server.js';

/** Messages under way at once, and conversations that they are spread over. */
const CONCURRENCY = 64;
/** As the gateway has it by default. */
const POOL = 10;
const TEXT = 'm'.repeat(100);

/** Messages of chat, from `send-message` to confirmation and `receive-message`, on PostgreSQL. */
export async function chat(run: Run): Promise<Row[]> {
  // As it is run in production: a commit waits for the disk.
  const postgres = await startPostgres({ fsync: true });
  const bare = await startBare(await postgres.database('bare'));
  const server = await startOurs(undefined, {
    STREAMGATE_DATABASE_URL: await postgres.database('chat'),
    STREAMGATE_CHAT_MESSAGES_PER_SECOND: '1000000',
    STREAMGATE_CHAT_MESSAGES_BURST: '1000000',
  });
  const many = await ready(run, server, CONCURRENCY);
  const one = await ready(run, server, 1);
  const inserts = () => insert(run, bare);
  const several = () => send(run, many);
  const single = () => send(run, one);
  // Not measured: both programs are compiled by now.
  for (const measure of [inserts, several, single]) await measure();
  const measured = await interleave(run, 'chat', {
    bare: inserts,
    'many conversations': several,
    'one conversation': single,
  });
  await server.stop();
  await bare.end();
  await postgres.stop();
  const row = (measure: string, ours: Sample): Row => ({
    measure,
    unit: 'messages/s',
    better: 'higher',
    stock: measured.bare.perSecond!,
    ours: ours.perSecond!,
  });
  return [
    {
      ...row('Chat, 64 conversations (against bare inserts)', measured['many conversations']),
      wanted: 0.6,
    },
    row('Chat, one conversation (against bare inserts)', measured['one conversation']),
  ];
}

/** Of each conversation a sender and who listens to it. */
interface Ready {
  senders: number;
  receivers: number;
  conversations: number[];
}

async function ready({ load }: Run, { url }: Server, count: number): Promise<Ready> {
  const open = async (users: string[]) => {
    const options = { url, users, secret, namespace: '/chat' } as const;
    return (await load.run('open', options)).value.group;
  };
  const from = newUsers(count);
  const to = newUsers(count);
  const conversations = await Promise.all(
    from.map((user, index) => makeConversation(url, user, to[index]!)),
  );
  const group = { senders: await open(from), receivers: await open(to), conversations };
  await load.run('joinConversations', group);
  return group;
}

async function makeConversation(url: string, user: string, other: string): Promise<number> {
  const token = await new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user)
    .setExpirationTime('2h')
    .sign(new TextEncoder().encode(secret));
  const answer = await fetch(`${url}/v1/conversations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ members: [other] }),
  });
  if (!answer.ok) throw new Error(`no conversation: ${answer.status} ${await answer.text()}`);
  return ((await answer.json()) as { id: number }).id;
}

async function send({ load, scale }: Run, group: Ready): Promise<Sample> {
  const count = Math.ceil(10_000 * scale);
  const window = CONCURRENCY / group.conversations.length;
  const { millis } = await load.run('chat', { ...group, count, window });
  return { perSecond: count / (millis / 1000) };
}

/** What the same driver with as many connections does at most: a row, committed, and no more. */
async function startBare(connectionString: string): Promise<Pool> {
  const pool = new Pool({ connectionString, max: POOL });
  await pool.query(`create table messages (
    id bigint generated always as identity primary key,
    conversation_id bigint not null,
    sender_id text not null,
    content text not null,
    created_at timestamptz not null default now()
  )`);
  return pool;
}

async function insert({ scale }: Run, pool: Pool): Promise<Sample> {
  const count = Math.ceil(10_000 * scale);
  let left = count;
  const started = performance.now();
  const writer = async (_: unknown, index: number) => {
    while (left-- > 0)
      await pool.query({
        name: 'insert',
        text: 'insert into messages (conversation_id, sender_id, content) values ($1, $2, $3) returning *',
        values: [index, 'sender', TEXT],
      });
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, writer));
  return { perSecond: count / ((performance.now() - started) / 1000) };
}
