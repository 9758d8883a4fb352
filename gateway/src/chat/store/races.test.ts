import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { makeGroup, openStore } from '../../../test/chat-store.js';
import { type TestPostgres, startPostgres } from '../../../test/postgres.js';
import type { ChatStore } from './chat-store.js';

/** Several nodes on one database at the same time. */
let server: TestPostgres;
let nodes: ChatStore[];
beforeAll(async () => {
  server = await startPostgres();
  // All of them find an empty database and migrate it.
  nodes = await Promise.all(
    Array.from({ length: 4 }, () => openStore({ databaseUrl: server.url, databasePool: 5 })),
  );
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.close()));
  await server.stop();
});

async function connect(): Promise<Client> {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  return client;
}

const node = (index: number) => nodes[index % nodes.length]!;

describe('several nodes', () => {
  test('migrate an empty database once', () => {
    expect(nodes.map((one) => one.health().up)).toEqual([true, true, true, true]);
  });

  test('number what 200 writers send without a gap, each in the order of its own', async () => {
    const writers = Array.from({ length: 200 }, (_, index) => `writer-${index}`);
    const conversationId = await makeGroup(node(0), writers);
    await Promise.all(
      writers.map(async (senderId, index) => {
        for (let number = 1; number <= 5; number++)
          await node(index).send({ conversationId, senderId, type: 'text', content: `${number}` });
      }),
    );
    const { messages } = await node(0).messages({ conversationId, after: 0, limit: 2000 });
    expect(messages.map(({ seq }) => seq)).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1));
    expect(messages.map(({ id }) => id)).toEqual(
      messages.map(({ id }) => id).toSorted((a, b) => a - b),
    );
    for (const writer of writers)
      expect(
        messages.filter(({ senderId }) => senderId === writer).map(({ content }) => content),
      ).toEqual(['1', '2', '3', '4', '5']);
  });

  test('do not wait in a circle for conversations that all write in', async () => {
    const members = ['ann', 'bob'];
    const groups = await Promise.all(Array.from({ length: 8 }, () => makeGroup(node(0), members)));
    await Promise.all(
      nodes.flatMap((one, index) =>
        Array.from({ length: 100 }, (_, number) =>
          one.send({
            conversationId: groups[(number * (index + 1)) % groups.length]!,
            senderId: members[number % 2]!,
            type: 'text',
            content: `${index} ${number}`,
          }),
        ),
      ),
    );
    const { conversations } = await node(0).conversationsOf('ann', { limit: 10 });
    expect(conversations.reduce((sum, { lastSeq }) => sum + lastSeq, 0)).toBe(400);
  });

  test('keep a message once that is sent through all of them', async () => {
    const conversationId = await makeGroup(node(0), ['ann']);
    for (let number = 1; number <= 20; number++) {
      const message = {
        ...({ conversationId, senderId: 'ann', type: 'text', content: 'again' } as const),
        clientMessageId: `c${number}`,
      };
      const sent = await Promise.all(nodes.map((one) => one.send(message)));
      expect(sent.map((one) => one?.message.seq)).toEqual([number, number, number, number]);
      expect(sent.filter((one) => one?.duplicate)).toHaveLength(3);
    }
  });

  test('keep nothing of a member whose removal came before it', async () => {
    const conversationId = await makeGroup(node(0), ['ann', 'bob']);
    const [holder, watcher] = [await connect(), await connect()];
    const waiters = async (wanted: number) =>
      vi.waitFor(async () => {
        const { rowCount } = await watcher.query(
          `select from pg_stat_activity where wait_event_type = 'Lock'`,
        );
        expect(rowCount).toBe(wanted);
      });
    await holder.query('begin');
    await holder.query('select from streamgate.conversations where id = $1 for update', [
      conversationId,
    ]);
    const removing = node(0).removeMember(conversationId, 'bob');
    await waiters(1);
    const by = (senderId: string) =>
      node(1).send({ conversationId, senderId, type: 'text', content: 'and now?' });
    const sending = Promise.all([by('bob'), by('ann')]);
    await waiters(2);
    await holder.query('commit');
    expect(await removing).toBe('changed');
    const [ofBob, ofAnn] = await sending;
    expect(ofBob).toBeUndefined();
    expect(ofAnn?.message.seq).toBe(1);
    await Promise.all([holder.end(), watcher.end()]);
  });

  test('make one direct conversation of a pair', async () => {
    const made = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        node(index).createConversation({
          kind: 'direct',
          createdBy: 'yan',
          members: index % 3 ? ['yan', 'zoe'] : ['zoe', 'yan'],
        }),
      ),
    );
    expect(new Set(made.map(({ conversation }) => conversation.id)).size).toBe(1);
    expect(made.filter(({ created }) => created)).toHaveLength(1);
  });
});
