import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ANN, BOB, CARL, say, textsOf } from '../chat-people.js';
import { type Client, connect } from '../client.js';
import { type TestPostgres, startPostgres } from '../postgres.js';
import { rest } from '../rest.js';
import type { Person } from '../tokens.js';
import { BACKPLANES, Several } from './several.js';

describe.each(BACKPLANES)('chat on two nodes over %s', (backplane) => {
  let postgres: TestPostgres;
  let several: Several;
  const clients: Client[] = [];

  beforeAll(async () => {
    postgres = await startPostgres();
    several = await Several.start(2, backplane, {
      STREAMGATE_DATABASE_URL: postgres.url,
      STREAMGATE_EVENTS_OUT: 'push',
      STREAMGATE_CHAT_MESSAGES_BURST: '1000',
    });
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    await several.stop();
    await postgres.stop();
  });

  async function group(...people: Person[]): Promise<number> {
    const body = { kind: 'group', members: people.map(({ id }) => id) };
    return (await rest(several.node(1), 'POST /v1/conversations', body, people[0])).body.id;
  }

  async function enter(person: Person, node: number, id?: number, since?: number) {
    const { client } = await connect(`${several.node(node).url}/chat`, person);
    clients.push(client);
    if (id !== undefined) await client.ask('join-conversation', { conversationId: id, since });
    return client;
  }

  test('what is said on both nodes at once has one order without gaps on both', async () => {
    const id = await group(ANN, BOB);
    const [ann, bob] = [await enter(ANN, 1, id), await enter(BOB, 2, id)];
    const said = await Promise.all(
      Array.from({ length: 100 }, (_, n) => say(n % 2 ? ann : bob, id, `m${n}`)),
    );
    const wanted = said.toSorted((a, b) => a.seq - b.seq);
    for (const client of [ann, bob]) {
      await expect.poll(() => textsOf(client).length).toBe(100);
      expect(client.all('receive-message')).toEqual(wanted);
    }
  });

  test('with Redis paused it goes on here, and there when Redis is back', async () => {
    const id = await group(ANN, BOB);
    const [ann, bob] = [await enter(ANN, 1, id), await enter(BOB, 2, id)];
    await say(ann, id, 'before');
    await bob.next('receive-message');
    several.redis.pause();
    for (const text of ['one', 'two']) await say(ann, id, text);
    await say(bob, id, 'three');
    await expect.poll(() => textsOf(ann)).toEqual(expect.arrayContaining(['one', 'two']));
    several.redis.resume();
    await expect.poll(() => textsOf(bob), { timeout: 10_000 }).toEqual(['one', 'two', 'three']);
    await expect
      .poll(() => textsOf(ann), { timeout: 10_000 })
      .toEqual(['before', 'one', 'two', 'three']);
    await expect
      .poll(() => ann.ask('typing', { conversationId: id, isTyping: true }), { timeout: 10_000 })
      .toEqual({ data: { scope: 'cluster' } });
  });

  test('a removed member hears no more, on any node', async () => {
    const id = await group(ANN, BOB, CARL);
    const ann = await enter(ANN, 1, id);
    const [bob, tablet] = [await enter(BOB, 2, id), await enter(BOB, 1, id)];
    await rest(several.node(1), `DELETE /v1/conversations/${id}/members/2`, undefined, ANN);
    for (const client of [bob, tablet]) await client.next('member-removed');
    await say(ann, id, 'secret');
    await ann.next('receive-message');
    for (const client of [bob, tablet]) {
      await client.ask('set-status', { status: 'online' });
      expect(client.has('receive-message')).toBe(false);
    }
  });

  test('services hear of messages for members who are away', async () => {
    const [dora, emil] = [{ id: 'dora' }, { id: 'emil' }];
    const id = await group(ANN, dora, emil);
    const ann = await enter(ANN, 1);
    await enter(dora, 2);
    const message = await say(ann, id, 'are you there?');
    const redis = new Redis(several.redis.url);
    try {
      await expect
        .poll(() => redis.xrange('streamgate:events', '-', '+'))
        .toSatisfy((entries: [string, string[]][]) =>
          entries.some(([, fields]) => fields.includes('emil')),
        );
      const entries = (await redis.xrange('streamgate:events', '-', '+'))
        .map(([, fields]) => fields)
        .filter((fields) => fields.includes(JSON.stringify(message)));
      expect(entries).toHaveLength(1);
      expect(entries[0]).toEqual(
        expect.arrayContaining(['push', '/chat', 'emil', 'receive-message']),
      );
    } finally {
      redis.disconnect();
    }
  });
});
