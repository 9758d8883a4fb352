import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DATABASE_CONFIG, makeGroup, openStore } from '../../../test/chat-store.js';
import { type TestPostgres, startPostgres } from '../../../test/postgres.js';
import { createEngine } from './create-chat-store.js';
import type { Engine } from './database.js';
import { migrate, pending } from './migrate.js';
import { MIGRATIONS, type Migration } from './migrations.js';

let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

let databases = 0;
async function emptyDatabase(): Promise<{ url: string; engine: Engine }> {
  const url = await server.database(`empty${++databases}`);
  return { url, engine: createEngine({ ...DATABASE_CONFIG, databaseUrl: url }) };
}

function next(step: Partial<Migration>): readonly Migration[] {
  const number = MIGRATIONS.length + 1;
  return [...MIGRATIONS, { number, name: 'next', needs: 1, sql: [], ...step }];
}

test('steps are numbered from 1, and need none that comes later', () => {
  expect(MIGRATIONS.map(({ number }) => number)).toEqual(MIGRATIONS.map((_, index) => index + 1));
  for (const { number, needs } of MIGRATIONS) expect(needs).toBeLessThanOrEqual(number);
});

test('an empty database gets all steps once, and later ones when they come', async () => {
  const { engine } = await emptyDatabase();
  await engine.withMigrator(async (db) => {
    expect(await pending(db)).toEqual(MIGRATIONS);
    expect(await migrate(db)).toEqual(MIGRATIONS);
    expect(await migrate(db)).toEqual([]);
    const more = next({ sql: ['alter table streamgate.messages add column hint text'] });
    expect(await migrate(db, more)).toEqual(more.slice(-1));
    expect(await migrate(db, more)).toEqual([]);
  });
});

test('many who migrate at once apply every step once', async () => {
  const { engine } = await emptyDatabase();
  const applied = await Promise.all(
    Array.from({ length: 8 }, () => engine.withMigrator((db) => migrate(db))),
  );
  expect(applied.flat()).toEqual(MIGRATIONS);
});

test('a step that fails leaves the schema as it was', async () => {
  const { engine } = await emptyDatabase();
  const wrong = next({ sql: ['create table streamgate.half (x int)', 'create nonsense'] });
  await engine.withMigrator(async (db) => {
    await migrate(db);
    await expect(migrate(db, wrong)).rejects.toThrow('syntax error');
    expect(await pending(db, wrong)).toEqual(wrong.slice(-1));
    await expect(sql`select from streamgate.half`.execute(db)).rejects.toThrow('does not exist');
  });
});

test('a schema that an operator made is used, without the right to make schemas', async () => {
  const { url, engine } = await emptyDatabase();
  await engine.withMigrator(async (db) => {
    await sql`create role limited login password 'limited'`.execute(db);
    await sql`create schema streamgate authorization limited`.execute(db);
  });
  const store = await openStore({ databaseUrl: url.replace(/streamgate:\w+/, 'limited:limited') });
  expect(store.health().up).toBe(true);
  await store.close();
});

test('a user without rights is told to the operator', async () => {
  const { url, engine } = await emptyDatabase();
  await engine.withMigrator((db) =>
    sql`create role powerless login password 'powerless'`.execute(db),
  );
  const opening = openStore({ databaseUrl: url.replace(/streamgate:\w+/, 'powerless:powerless') });
  await expect(opening).rejects.toMatchObject({
    name: 'StoreConfigError',
    message: 'The database cannot be used: the user lacks a permission.',
  });
});

describe('a schema that is newer than the code', () => {
  test('is used when it only has more', async () => {
    const { url, engine } = await emptyDatabase();
    const more = next({ sql: ['alter table streamgate.messages add column hint text'] });
    await engine.withMigrator((db) => migrate(db, more));
    const store = await openStore({ databaseUrl: url });
    const conversationId = await makeGroup(store, ['ann']);
    const message = { conversationId, senderId: 'ann', type: 'text', content: 'hi' } as const;
    expect(await store.send(message)).toMatchObject({ message: { seq: 1 } });
    await store.close();
  });

  test('is refused when it needs what the code does not know', async () => {
    const { url, engine } = await emptyDatabase();
    const steps = next({ needs: MIGRATIONS.length + 1 });
    await engine.withMigrator((db) => migrate(db, steps));
    await expect(openStore({ databaseUrl: url })).rejects.toMatchObject({
      name: 'StoreConfigError',
      message: `The schema of the database is at step ${steps.length} and needs a gateway that knows step ${steps.length}; this one knows ${MIGRATIONS.length}.`,
    });
  });
});
