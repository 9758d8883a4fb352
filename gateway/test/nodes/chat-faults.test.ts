import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client as Database } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { layCable } from '../cable.js';
import { ANN, BOB, CARL, say } from '../chat-people.js';
import { type Answer, type Client, connect, eventually } from '../client.js';
import { startNode, TestNode } from '../node.js';
import { POSTGRES_PASSWORD, startPostgres, type TestPostgres } from '../postgres.js';
import { rest } from '../rest.js';
import type { Person } from '../tokens.js';
import { BACKPLANES, Several } from './several.js';

const UNLIMITED = {
  STREAMGATE_CHAT_MESSAGES_PER_SECOND: '100000',
  STREAMGATE_CHAT_MESSAGES_BURST: '100000',
  STREAMGATE_EVENTS_PER_SECOND: '100000',
  STREAMGATE_EVENTS_BURST: '100000',
};

interface Message {
  readonly id: number;
  readonly seq: number;
  readonly content: string;
  readonly client_message_id?: string;
}

const clients: Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

/** A session on `/chat` of the node. */
async function enter(node: TestNode, person: Person): Promise<Client> {
  const { client } = await connect(`${node.url}/chat`, person, { transports: ['websocket'] });
  clients.push(client);
  return client;
}

/** The same that has joined. */
async function joined(node: TestNode, person: Person, id: number, since?: number): Promise<Client> {
  const client = await enter(node, person);
  const { error } = await client.ask('join-conversation', { conversationId: id, since });
  expect(error).toBeUndefined();
  return client;
}

async function makeGroup(node: TestNode, ...people: Person[]): Promise<number> {
  const members = people.map(({ id }) => id);
  const { body } = await rest(
    node,
    'POST /v1/conversations',
    { kind: 'group', members },
    people[0],
  );
  return body.id as number;
}

/** All that was kept, page by page. */
async function historyOf(node: TestNode, id: number, as: Person): Promise<Message[]> {
  const all: Message[] = [];
  for (let after: string | undefined = '0'; after !== undefined;) {
    const path = `/v1/conversations/${id}/messages?limit=1000&after=${after}`;
    const { body } = await rest(node, `GET ${path}`, undefined, as);
    all.push(...(body.messages as Message[]));
    after = body.nextCursor as string | undefined;
  }
  return all;
}

const seqs = (messages: readonly Message[]) => messages.map(({ seq }) => seq);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
const received = (client: Client) => client.all('receive-message') as Message[];

describe.skipIf(!BACKPLANES.includes('mailbox'))('chat on two nodes and PostgreSQL', () => {
  let postgres: TestPostgres;
  let several: Several;

  beforeAll(async () => {
    postgres = await startPostgres();
    const env = { STREAMGATE_DATABASE_URL: postgres.url, ...UNLIMITED };
    several = await Several.start(2, 'mailbox', env);
  });
  afterAll(async () => {
    await several.stop();
    await postgres.stop();
  });

  test('200 writers at once: every member sees one order without gaps', async () => {
    const WRITERS = 200;
    const EACH = 3;
    const people = upTo(WRITERS).map((n): Person => ({ id: `writer-${n}` }));
    const id = await makeGroup(several.node(1), ...people);
    const members: Client[] = [];
    for (const [index, person] of people.entries())
      members.push(await joined(several.node(1 + (index % 2)), person, id));
    const said: Message[] = await Promise.all(
      members.flatMap((client, index) =>
        upTo(EACH).map((n) => say(client, id, `${index}: ${n}`) as Promise<Message>),
      ),
    );
    const wanted = said.toSorted((a, b) => a.seq - b.seq);
    expect(seqs(wanted)).toEqual(upTo(WRITERS * EACH));
    for (const client of members) {
      await eventually(
        () => received(client).length,
        (count) => count >= WRITERS * EACH,
        30_000,
      );
      expect(received(client)).toEqual(wanted);
    }
    expect(await historyOf(several.node(2), id, people[0]!)).toEqual(wanted);
  });

  test('the database killed and started under load: nothing confirmed is missing', async () => {
    const WRITERS = 10;
    const people = upTo(WRITERS).map((n): Person => ({ id: `loader-${n}` }));
    const id = await makeGroup(several.node(1), ...people);
    const members = await Promise.all(
      people.map((person, index) => joined(several.node(1 + (index % 2)), person, id)),
    );
    const { client: elsewhere } = await connect(several.node(1).url, ANN);
    clients.push(elsewhere);

    const confirmed: Message[] = [];
    const refusals: { code: string; retryable: boolean; tookMs: number }[] = [];
    let going = true;
    // Each says one thing after the other, and again under its id until that is confirmed.
    const writing = members.map(async (client, index) => {
      for (let n = 1; going; n++) {
        const message = {
          conversation_id: id,
          content: `${n}`,
          client_message_id: `${index}-${n}`,
        };
        for (let answer: Answer | undefined; !answer?.data;) {
          const askedAt = performance.now();
          answer = await client.ask('send-message', message);
          if (answer.error) refusals.push({ ...answer.error, tookMs: performance.now() - askedAt });
          else confirmed.push(answer.data as Message);
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      }
    });
    const confirmedOf = (count: number) =>
      eventually(
        () => confirmed.length,
        (now) => now >= count,
        30_000,
      );
    await confirmedOf(100);
    await postgres.kill();
    await eventually(
      () => refusals.length,
      (count) => count >= 5 * WRITERS,
    );
    for (const node of several.nodes) {
      const health = await fetch(`${node.managementUrl}/health/ready`);
      expect(health.status).toBe(200);
      expect(await health.json()).toMatchObject({ info: { database: { status: 'degraded' } } });
    }
    expect(await rest(several.node(2), 'GET /v1/conversations', undefined, ANN)).toMatchObject({
      status: 503,
      body: { code: 'database_unavailable', retryable: true },
    });
    expect((await elsewhere.ask('ping', {})).data).toBeDefined();
    await postgres.restart();
    await confirmedOf(confirmed.length + 100);
    going = false;
    await Promise.all(writing);

    for (const refusal of refusals)
      expect(refusal).toMatchObject({ code: 'database_unavailable', retryable: true });
    // Refused at once, but for those that were on their way when it went.
    const patient = refusals.filter(({ tookMs }) => tookMs > 1000);
    expect(patient.length).toBeLessThanOrEqual(WRITERS);
    const history = await historyOf(several.node(2), id, people[0]!);
    expect(seqs(history)).toEqual(upTo(history.length));
    expect(new Set(history.map((each) => each.client_message_id)).size).toBe(history.length);
    expect(confirmed.toSorted((a, b) => a.seq - b.seq)).toEqual(history);
    for (const client of members) {
      await eventually(
        () => received(client).at(-1)?.seq,
        (last) => last === history.length,
      );
      expect(received(client)).toEqual(history);
    }
  });

  test('one node loses Redis for a while: the others hear what it kept, and whom it removed', async () => {
    const cable = await layCable(Number(new URL(several.redis.url).port));
    const lonely = await startNode({
      STREAMGATE_REDIS_URL: cable.url,
      STREAMGATE_DATABASE_URL: postgres.url,
    });
    const other = several.node(2);
    const [id, second] = [
      await makeGroup(lonely, ANN, BOB, CARL),
      await makeGroup(lonely, ANN, BOB, CARL),
    ];
    const ann = await joined(lonely, ANN, id);
    const bob = await joined(other, BOB, id);
    const carl = await joined(other, CARL, second);
    const first = (await say(ann, id, 'before')) as Message;
    await bob.next('receive-message');

    cable.cut();
    await eventually(
      () => lonely.metric('streamgate_backplane_up'),
      (up) => up === 0,
    );
    await ann.ask('edit-message', { message_id: first.id, content: 'changed' });
    await say(ann, id, 'while away');
    const removal = `DELETE /v1/conversations/${second}/members/${CARL.id}`;
    expect((await rest(lonely, removal, undefined, ANN)).status).toBe(200);
    expect(bob.has('receive-message')).toBe(false);
    cable.mend();

    expect(await bob.next('receive-message')).toMatchObject({ seq: 2, content: 'while away' });
    expect(await bob.next('message-updated')).toMatchObject({ seq: 1, content: 'changed' });
    expect(await carl.next('left-conversation')).toMatchObject({ conversationId: second });
    await ann.ask('join-conversation', { conversationId: second });
    await say(ann, second, 'without Carl');
    expect(await rest(other, `GET /v1/conversations/${second}`, undefined, CARL)).toMatchObject({
      status: 404,
    });
    expect(carl.has('receive-message')).toBe(false);
    await lonely.stop();
    await cable.close();
  });

  test('kill -9 between insert and broadcast: in the history, and there through `since`', async () => {
    const doomed = await startNode({
      STREAMGATE_REDIS_URL: several.redis.url,
      STREAMGATE_DATABASE_URL: postgres.url,
    });
    const survivor = several.node(2);
    const id = await makeGroup(survivor, ANN, BOB, CARL);
    const ann = await joined(doomed, ANN, id);
    const bob = await joined(survivor, BOB, id);
    await say(ann, id, 'before');
    await bob.next('receive-message');

    const database = new Database({ connectionString: postgres.url });
    await database.connect();
    const count = async (sql: string) =>
      Number((await database.query<{ count: string }>(sql, [id])).rows[0]!.count);
    // The insert waits for the row that gives numbers; the node that asked for it stands still then.
    await database.query('begin');
    await database.query('select 1 from streamgate.conversations where id = $1 for update', [id]);
    const last = { conversation_id: id, content: 'last words', client_message_id: 'last' };
    ann.socket.emit('send-message', last);
    const waits = `select count(*) from pg_stat_activity
      where wait_event_type = 'Lock' and $1::bigint is not null`;
    await eventually(
      () => count(waits),
      (waiting) => waiting > 0,
    );
    doomed.pause();
    await database.query('rollback');
    const kept = `select count(*) from streamgate.messages where conversation_id = $1`;
    await eventually(
      () => count(kept),
      (messages) => messages === 2,
    );
    await doomed.kill();
    await database.end();

    expect(ann.all('message-sent')).toHaveLength(1);
    expect((await historyOf(survivor, id, CARL)).map(({ content }) => content)).toEqual([
      'before',
      'last words',
    ]);
    expect(bob.has('receive-message')).toBe(false);
    // Who comes back asks from where it was.
    const carl = await joined(survivor, CARL, id, 1);
    expect(await carl.next('receive-message')).toMatchObject({ seq: 2, content: 'last words' });
    // The sender was told nothing and says it again: it is there once, and now everyone hears it.
    const annAgain = await joined(survivor, ANN, id, 2);
    const { data } = await annAgain.ask('send-message', last);
    expect(data).toMatchObject({ seq: 2, content: 'last words' });
    await say(annAgain, id, 'after');
    expect(await bob.next('receive-message')).toEqual(data);
    expect(await bob.next('receive-message')).toMatchObject({ seq: 3, content: 'after' });
    expect(seqs(await historyOf(survivor, id, BOB))).toEqual([1, 2, 3]);
  });
});

describe('chat on one node', () => {
  const nodes: TestNode[] = [];
  const start = async (env: Record<string, string>) => {
    const node = await startNode(env);
    nodes.push(node);
    return node;
  };
  afterEach(() => Promise.all(nodes.splice(0).map((node) => node.kill())));

  test('an embedded database has its history after a restart, and after kill -9', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'streamgate-chat-'));
    const env = { STREAMGATE_CHAT: 'on', STREAMGATE_DATA_DIR: folder };
    const first = await start(env);
    const id = await makeGroup(first, ANN, BOB);
    await say(await joined(first, ANN, id), id, 'one');
    await first.stop();
    const second = await start(env);
    const ann = await joined(second, ANN, id);
    await say(ann, id, 'two');
    await second.kill();
    const third = await start(env);
    const bob = await joined(third, BOB, id, 0);
    expect(received(bob).map(({ content }) => content)).toEqual(['one', 'two']);
    await rm(folder, { recursive: true });
  });

  test('a database that comes later than the node', async () => {
    const postgres = await startPostgres();
    await postgres.kill();
    const node = await start({ STREAMGATE_DATABASE_URL: postgres.url });
    const ann = await enter(node, ANN);
    expect(await ann.ask('join-conversation', { conversationId: 1 })).toMatchObject({
      error: { code: 'database_unavailable', retryable: true },
    });
    await postgres.restart();
    const made = await eventually(
      () => rest(node, 'POST /v1/conversations', { members: [2] }, ANN),
      ({ status }) => status === 201,
    );
    const { data } = await ann.ask('join-conversation', { conversationId: made.body.id });
    expect(data).toMatchObject({ success: true, lastSeq: 0 });
    await node.stop();
    await postgres.stop();
  });

  test('a database that cannot be used ends the start with one message', async () => {
    const postgres = await startPostgres();
    const url = postgres.url.replace(POSTGRES_PASSWORD, 'wrong');
    const node = new TestNode({ STREAMGATE_DATABASE_URL: url });
    expect(await node.exit).toEqual({ code: 1, signal: null });
    expect(node.output).toMatch(/^The database cannot be used: .+\n$/m);
    expect(node.output).not.toMatch(/wrong|    at /);
    await postgres.stop();
  });
});
