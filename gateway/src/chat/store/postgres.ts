import { Kysely, PostgresDialect, sql } from 'kysely';
import { type CustomTypesConfig, Pool, type PoolClient, type PoolConfig, types } from 'pg';
import { metrics } from '../../ops/metrics.js';
import { StoreConfigError } from './chat-store.js';
import type { Engine, Link } from './database.js';
import { migrate } from './migrate.js';
import { type Db, SCHEMA, type Tables } from './tables.js';

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, with what libpq knows as `?sslmode=`. */
  readonly url: string;
  /** Connections at most. */
  readonly pool: number;
  /** Milliseconds for a statement, for a connection, and until an unused one is closed. */
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly idleMs: number;
}

/** By how much longer than the server itself is waited for its saying that it took too long. */
const ANSWER_MS = 500;

const INT8 = 20;
/** Ids and counts: all of them are exact as numbers. Everything else as pg reads it. */
const numbers: CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text') =>
    oid === INT8 ? Number : types.getTypeParser(oid, format)) as typeof types.getTypeParser,
};

export class PostgresEngine implements Engine {
  constructor(private readonly options: PostgresOptions) {}

  async open(onCut: () => void): Promise<Link> {
    await this.withMigrator(async (db) => {
      await writable(db);
      await migrate(db);
    });
    const { pool: max, timeoutMs, idleMs } = this.options;
    const pool = this.pool({
      max,
      idleTimeoutMillis: idleMs,
      statement_timeout: timeoutMs,
      query_timeout: timeoutMs + ANSWER_MS,
      // Leaves a batch of messages time to do without the conversation that somebody holds.
      lock_timeout: Math.ceil(timeoutMs / 2),
      // A node that stops inside a transaction must not keep others waiting for its locks.
      idle_in_transaction_session_timeout: timeoutMs + ANSWER_MS,
    });
    const clients = new Set<PoolClient>();
    pool.on('connect', (client) => clients.add(client));
    pool.on('remove', (client) => clients.delete(client));
    pool.on('error', onCut);
    metrics.databaseConnections.read(() => [
      ['busy', pool.totalCount - pool.idleCount],
      ['idle', pool.idleCount],
      ['waiting', pool.waitingCount],
    ]);
    const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
    return {
      db: db.withSchema(SCHEMA),
      check: () => writable(db),
      close: () => db.destroy(),
      drop() {
        // A client that still waits for an answer breaks its connection.
        for (const client of clients) void client.end().catch(() => undefined);
        void pool.end().catch(() => undefined);
      },
    };
  }

  /** A connection of its own whose statements may take as long as they need. */
  async withMigrator<T>(work: (db: Db) => Promise<T>): Promise<T> {
    const pool = this.pool({ max: 1 });
    const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
    try {
      return await work(db);
    } finally {
      await db.destroy();
    }
  }

  private pool(config: PoolConfig): Pool {
    const { url, connectTimeoutMs } = this.options;
    try {
      const pool = new Pool({
        connectionString: url,
        application_name: 'streamgate',
        connectionTimeoutMillis: connectTimeoutMs,
        keepAlive: true,
        types: numbers,
        ...config,
      });
      // The pool listens to a connection that nobody has taken; one that is taken may break between
      // two statements, and whoever has taken it learns of it by the next.
      pool.on('connect', (client) => client.on('error', () => undefined));
      pool.on('error', () => undefined);
      return pool;
    } catch {
      // What is thrown here quotes the URL.
      throw new StoreConfigError('The URL of the database cannot be read.');
    }
  }
}

/** @throws as a write does on a replica */
async function writable(db: Db): Promise<void> {
  const { rows } = await sql<{ readOnly: string }>`
    select current_setting('transaction_read_only') as "readOnly"`.execute(db);
  if (rows[0]?.readOnly !== 'off')
    throw Object.assign(new Error('read-only'), { code: '25006', severity: 'ERROR' });
}
