import { type Transaction, sql } from 'kysely';
import { StoreConfigError } from './chat-store.js';
import { MIGRATIONS, type Migration } from './migrations.js';
import { type Db, SCHEMA, type Tables } from './tables.js';

/** Of the advisory lock that one node holds while it migrates: "streamga" in ASCII. */
const LOCK = 0x73747265616d6761n;
/** A step that cannot have its table soon lets the nodes that use it go first, and is tried again. */
const LOCK_TIMEOUT = '5s';

/** Where a schema stands: the last step that was applied, and the least that code must know. */
interface Version {
  readonly at: number;
  readonly needs: number;
}

/**
 * Brings the schema up to date, all in one transaction; others who do the same wait. A schema that
 * is newer than `migrations` is left as it is.
 * @returns the steps that were applied now
 * @throws StoreConfigError when the schema needs code that knows more steps
 */
export async function migrate(
  db: Db,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<readonly Migration[]> {
  if ((await pending(db, migrations)).length === 0) return [];
  return db.transaction().execute(async (trx) => {
    await sql`set local statement_timeout = 0`.execute(trx);
    await sql`set local idle_in_transaction_session_timeout = 0`.execute(trx);
    await sql`select pg_advisory_xact_lock(${sql.lit(LOCK)})`.execute(trx);
    await sql`set local lock_timeout = ${sql.lit(LOCK_TIMEOUT)}`.execute(trx);
    // Only now nobody else changes it.
    const steps = await pending(trx, migrations);
    for (const step of steps) await apply(trx, step);
    return steps;
  });
}

/**
 * Steps that the schema does not have yet.
 * @throws StoreConfigError as `migrate`
 */
export async function pending(
  db: Db,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<readonly Migration[]> {
  const { at, needs } = await version(db);
  const known = migrations.at(-1)?.number ?? 0;
  if (needs > known)
    throw new StoreConfigError(
      `The schema of the database is at step ${at} and needs a gateway that knows step ${needs}; this one knows ${known}.`,
    );
  return migrations.filter((step) => step.number > at);
}

async function version(db: Db): Promise<Version> {
  // Not to_regclass(): it answers out of a cache that waiting for an advisory lock does not renew.
  const { rows } = await sql<{ there: boolean }>`
    select exists (
      select from pg_tables where schemaname = ${SCHEMA} and tablename = 'migrations'
    ) as there`.execute(db);
  if (!rows[0]?.there) return { at: 0, needs: 0 };
  const found = await db
    .withSchema(SCHEMA)
    .selectFrom('migrations')
    .select(({ fn }) => [fn.max('number').as('at'), fn.max('needs').as('needs')])
    .executeTakeFirst();
  return { at: found?.at ?? 0, needs: found?.needs ?? 0 };
}

async function apply(trx: Transaction<Tables>, step: Migration): Promise<void> {
  if (step.number === 1) await createSchema(trx);
  for (const statement of step.sql) await sql.raw(statement).execute(trx);
  const { number, name, needs } = step;
  await trx.withSchema(SCHEMA).insertInto('migrations').values({ number, name, needs }).execute();
}

/** An operator who gives no right to create schemas has made it already. */
async function createSchema(trx: Transaction<Tables>): Promise<void> {
  const { rows } = await sql<{ there: boolean }>`
    select exists (select from pg_namespace where nspname = ${SCHEMA}) as there`.execute(trx);
  if (!rows[0]?.there) await sql`create schema ${sql.id(SCHEMA)}`.execute(trx);
  await sql`create table ${sql.id(SCHEMA, 'migrations')} (
    number int primary key,
    name text not null,
    needs int not null,
    applied_at timestamptz(3) not null default clock_timestamp()
  )`.execute(trx);
}
