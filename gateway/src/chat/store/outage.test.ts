import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Client } from 'pg';
import { layCable } from '../../../test/cable.js';
import { DATABASE_CONFIG, makeGroup, openStore } from '../../../test/chat-store.js';
import { POSTGRES_PASSWORD, type TestPostgres, startPostgres } from '../../../test/postgres.js';
import { log } from '../../ops/log.js';
import type { ChatStore, NewMessage, Sent } from './chat-store.js';
import { createChatStore } from './create-chat-store.js';

const AWAY = { code: 'database_unavailable', retryable: true, status: 503 };
const SOON = { timeout: 10_000, interval: 10 };

let server: TestPostgres;
const closings: (() => Promise<void>)[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterEach(async () => {
  for (const close of closings.splice(0).toReversed()) await close();
});
afterAll(() => server.stop());

function text(conversationId: number, content: string): NewMessage {
  return { conversationId, senderId: 'ann', type: 'text', content, clientMessageId: content };
}

async function open(config: Partial<typeof DATABASE_CONFIG> = {}): Promise<ChatStore> {
  const store = await openStore({ databaseUrl: server.url, ...config });
  closings.push(() => store.close());
  return store;
}

async function openByCable(config: Partial<typeof DATABASE_CONFIG> = {}) {
  const cable = await layCable(server.port);
  closings.push(() => cable.close());
  const databaseUrl = server.url.replace(`:${server.port}/`, `:${cable.port}/`);
  return { cable, store: await open({ databaseUrl, ...config }) };
}

async function contents(store: ChatStore, conversationId: number): Promise<string[]> {
  const { messages } = await store.messages({ conversationId, after: 0, limit: 10_000 });
  expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, index) => index + 1));
  return messages.map(({ content }) => content);
}

/** Milliseconds until it is refused as away. */
async function refusal(asking: Promise<unknown>): Promise<number> {
  const started = performance.now();
  await expect(asking).rejects.toMatchObject(AWAY);
  return performance.now() - started;
}

describe('a database that stops', () => {
  test('is refused at once, said of health, and used again when it is back', async () => {
    const store = await open();
    const id = await makeGroup(store, ['ann']);
    await store.send(text(id, 'before'));
    await server.kill();
    // Also without anybody asking.
    await vi.waitFor(() => expect(store.health().up).toBe(false), SOON);
    const away = store.health();
    expect(away.reason).toBeTruthy();
    for (const asking of [
      () => store.send(text(id, 'while away')),
      () => store.messages({ conversationId: id, limit: 1 }),
      () => store.addMember(id, 'bob'),
      () => store.isMember(id, 'ann'),
    ])
      expect(await refusal(asking())).toBeLessThan(100);
    expect(store.health().since).toEqual(away.since);
    await server.restart();
    await vi.waitFor(() => expect(store.health().up).toBe(true), SOON);
    expect(store.health().since.getTime()).toBeGreaterThan(away.since.getTime());
    await store.send(text(id, 'after'));
    expect(await contents(store, id)).toEqual(['before', 'after']);
  });

  test('under load loses nothing that was confirmed, and has nothing twice', async () => {
    const store = await open();
    const id = await makeGroup(store, ['ann']);
    const confirmed: Sent[] = [];
    let asked = 0;
    let refused = 0;
    let stopped = false;
    const writers = Array.from({ length: 16 }, async () => {
      while (!stopped) {
        const message = text(id, `message ${++asked}`);
        for (let isSent = false; !isSent && !stopped;)
          try {
            confirmed.push((await store.send(message))!);
            isSent = true;
          } catch (error) {
            expect(error).toMatchObject(AWAY);
            refused += 1;
            await new Promise((resolve) => setTimeout(resolve, 10));
          }
      }
    });
    for (let round = 1; round <= 2; round++) {
      const before = confirmed.length;
      await vi.waitFor(() => expect(confirmed.length).toBeGreaterThan(before + 200), SOON);
      await server.restart();
    }
    const before = confirmed.length;
    await vi.waitFor(() => expect(confirmed.length).toBeGreaterThan(before + 200), SOON);
    stopped = true;
    await Promise.all(writers);
    expect(refused).toBeGreaterThan(0);
    const kept = await contents(store, id);
    expect(new Set(kept).size).toBe(kept.length);
    for (const { message } of confirmed) expect(kept[message.seq - 1]).toBe(message.content);
  });

  test('is waited for from the start', async () => {
    await server.kill();
    const store = await open();
    expect(store.health()).toMatchObject({ up: false, reason: 'ECONNREFUSED' });
    expect(await refusal(makeGroup(store, ['ann']))).toBeLessThan(100);
    await server.restart();
    await vi.waitFor(() => expect(store.health().up).toBe(true), SOON);
    await makeGroup(store, ['ann']);
  });

  test('does not keep a store from closing', async () => {
    const store = await openStore({ databaseUrl: server.url });
    await server.kill();
    await vi.waitFor(() => expect(store.health().up).toBe(false), SOON);
    await store.close();
    expect(await refusal(store.isMember(1, 'ann'))).toBeLessThan(100);
    await server.restart();
    expect(store.health()).toMatchObject({ up: false, reason: 'closed' });
  });
});

describe('a database that does not answer', () => {
  const TIMES = { databaseTimeoutMs: 500, databaseConnectTimeoutMs: 1000 };

  test('is given up after the timeout, for all who wait, and refused at once from then on', async () => {
    const { cable, store } = await openByCable(TIMES);
    const id = await makeGroup(store, ['ann']);
    cable.hang();
    const times = await Promise.all(
      Array.from({ length: 30 }, (_, index) => refusal(store.send(text(id, `message ${index}`)))),
    );
    // A connection, or the statement and what the server gets to say so; and a busy machine.
    expect(Math.max(...times)).toBeLessThan(1000 + 1000);
    // The first to notice may be one that needed another connection.
    expect(store.health()).toMatchObject({
      up: false,
      reason: expect.stringMatching(/^no (answer|connection) in time$/),
    });
    expect(await refusal(store.isMember(id, 'ann'))).toBeLessThan(100);
    cable.mend();
    await vi.waitFor(() => expect(store.health().up).toBe(true), SOON);
    expect(await store.isMember(id, 'ann')).toBe(true);
  });

  test('is noticed also when nobody asks for anything', async () => {
    const { cable, store } = await openByCable(TIMES);
    cable.hang();
    await vi.waitFor(() => expect(store.health().up).toBe(false), SOON);
  });
});

test('a message whose commit was not answered is there once when it is sent again', async () => {
  const { cable, store } = await openByCable({ databaseTimeoutMs: 300 });
  const id = await makeGroup(store, ['ann']);
  const witness = await open();
  cable.deafen();
  const sending = refusal(store.send(text(id, 'once')));
  await vi.waitFor(async () => expect(await contents(witness, id)).toEqual(['once']), SOON);
  await sending;
  cable.mend();
  await vi.waitFor(() => expect(store.health().up).toBe(true), SOON);
  expect(await store.send(text(id, 'once'))).toMatchObject({
    duplicate: true,
    message: { seq: 1, content: 'once' },
  });
  expect(await contents(witness, id)).toEqual(['once']);
});

describe('a database that is there', () => {
  async function asAdmin(statement: string): Promise<void> {
    const client = new Client({ connectionString: server.url });
    await client.connect();
    await client.query(statement).finally(() => client.end());
  }

  test('stays in use when one connection is ended', async () => {
    const store = await open();
    const id = await makeGroup(store, ['ann']);
    const { since } = store.health();
    await asAdmin(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'streamgate'`,
    );
    await vi.waitFor(() => store.send(text(id, 'still here')), SOON);
    expect(store.health()).toEqual({ up: true, since, reason: undefined });
  });

  test('but only for reading, counts as away', async () => {
    const url = await server.database('replica');
    const store = await open({ databaseUrl: url });
    await asAdmin(`alter database replica set default_transaction_read_only = on`);
    await asAdmin(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = 'replica'`,
    );
    await vi.waitFor(() => expect(store.health().up).toBe(false), SOON);
    expect(store.health().reason).toBe('it is read-only');
    await asAdmin(`alter database replica reset default_transaction_read_only`);
    await vi.waitFor(() => expect(store.health().up).toBe(true), SOON);
  });

  test('with every connection in use, refuses what waits too long for one', async () => {
    const store = await open({ databasePool: 1, databaseConnectTimeoutMs: 500 });
    const id = await makeGroup(store, ['ann']);
    const client = new Client({ connectionString: server.url });
    await client.connect();
    await client.query('begin');
    await client.query(`select from streamgate.conversations where id = ${id} for update`);
    const sending = store.send(text(id, 'later'));
    await waitingForLock(client);
    expect(await refusal(store.isMember(id, 'ann'))).toBeGreaterThan(400);
    expect(store.health().up).toBe(true);
    await client.end();
    expect(await sending).toMatchObject({ message: { seq: 1 } });
  });

  test('with a conversation that somebody holds, refuses what waits too long for it', async () => {
    const store = await open({ databaseTimeoutMs: 600 });
    const [stuck, free] = [await makeGroup(store, ['ann']), await makeGroup(store, ['ann'])];
    const client = new Client({ connectionString: server.url });
    await client.connect();
    await client.query('begin');
    await client.query(`select from streamgate.conversations where id = ${stuck} for update`);
    const sending = refusal(store.send(text(stuck, 'later')));
    // Of the same batch, and of the next ones.
    expect(await store.send(text(free, 'with it'))).toMatchObject({ message: { seq: 1 } });
    for (let seq = 2; seq <= 4; seq++)
      expect(await store.send(text(free, `behind it ${seq}`))).toMatchObject({ message: { seq } });
    expect(await sending).toBeGreaterThan(500);
    expect(store.health().up).toBe(true);
    await client.end();
    expect(await store.send(text(stuck, 'later'))).toMatchObject({ duplicate: false });
  });

  async function waitingForLock(client: Client): Promise<void> {
    await vi.waitFor(async () => {
      const { rowCount } = await client.query(
        `select from pg_stat_activity where wait_event_type = 'Lock'`,
      );
      expect(rowCount).toBe(1);
    }, SOON);
  }
});

describe('nothing secret is said', () => {
  test.each([
    ['a wrong password', (url: string) => url.replace(POSTGRES_PASSWORD, 'hunter2')],
    ['an unknown user', (url: string) => url.replace('streamgate:', 'nobody-at-all:')],
    ['an unknown database', (url: string) => url.replace(/postgres$/, 'hidden-name')],
  ])('of %s, which stops the start', async (_, wrong) => {
    const store = createChatStore({ ...DATABASE_CONFIG, databaseUrl: wrong(server.url) });
    const error = await store.start().then(
      () => undefined,
      (thrown: unknown) => thrown as Error,
    );
    expect(error).toMatchObject({ name: 'StoreConfigError' });
    expect(error?.message).not.toMatch(/hunter2|secret|nobody-at-all|hidden-name/);
    await store.close();
  });

  test('of a database that is away', async () => {
    const said: unknown[] = [];
    const spies = (['warn', 'info', 'error'] as const).map((level) =>
      vi.spyOn(log, level).mockImplementation((...args: unknown[]) => void said.push(args)),
    );
    const store = await open();
    await server.kill();
    await vi.waitFor(() => expect(store.health().up).toBe(false), SOON);
    const error: Error = await store.isMember(1, 'ann').then(
      () => new Error('not refused'),
      (thrown: Error) => thrown,
    );
    await server.restart();
    await vi.waitFor(() => expect(store.health().up).toBe(true), SOON);
    expect(said.length).toBeGreaterThan(0);
    expect(JSON.stringify([said, error.message, store.health()])).not.toMatch(/secret|postgres:/);
    for (const spy of spies) spy.mockRestore();
  });
});
