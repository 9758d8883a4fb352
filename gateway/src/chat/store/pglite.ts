import { join } from 'node:path';
import { Kysely, PGliteDialect, sql } from 'kysely';
import type { Engine, Link } from './database.js';
import { lockFolder } from './folder-lock.js';
import { migrate } from './migrate.js';
import { type Db, SCHEMA, type Tables } from './tables.js';

/** PostgreSQL inside this process, with one connection. */
export class PGliteEngine implements Engine {
  /** @param folder undefined: in memory, gone with the process */
  constructor(private readonly folder: string | undefined) {}

  async open(): Promise<Link> {
    const { db, close } = await this.load();
    try {
      await migrate(db);
    } catch (error) {
      await close();
      throw error;
    }
    return {
      db: db.withSchema(SCHEMA),
      check: async () => void (await sql`select 1`.execute(db)),
      close,
      drop: () => void close().catch(() => undefined),
    };
  }

  async withMigrator<T>(work: (db: Db) => Promise<T>): Promise<T> {
    const { db, close } = await this.load();
    return work(db).finally(close);
  }

  private async load(): Promise<{ db: Db; close: () => Promise<void> }> {
    const unlock = this.folder === undefined ? () => undefined : lockFolder(this.folder);
    try {
      // Loaded only where it is used: it takes hundreds of megabytes.
      const { PGlite } = await import('@electric-sql/pglite');
      const pglite = await PGlite.create(
        this.folder === undefined ? 'memory://' : join(this.folder, 'pgdata'),
      );
      const db = new Kysely<Tables>({ dialect: new PGliteDialect({ pglite }) });
      return { db, close: () => db.destroy().finally(unlock) };
    } catch (error) {
      unlock();
      throw error;
    }
  }
}
