import type { DatabaseConfig } from '../../config.js';
import type { ChatStore } from './chat-store.js';
import { Database, type Engine } from './database.js';
import { PGliteEngine } from './pglite.js';
import { PostgresEngine } from './postgres.js';
import { SqlChatStore } from './sql-chat-store.js';

/** PostgreSQL where there is a URL, else PGlite in the folder, or in memory without one. */
export function createChatStore(config: DatabaseConfig): ChatStore {
  return new SqlChatStore(new Database(createEngine(config)));
}

export function createEngine(config: DatabaseConfig): Engine {
  if (config.databaseUrl === undefined) return new PGliteEngine(config.dataDir);
  return new PostgresEngine({
    url: config.databaseUrl,
    pool: config.databasePool,
    timeoutMs: config.databaseTimeoutMs,
    connectTimeoutMs: config.databaseConnectTimeoutMs,
    idleMs: config.databaseIdleMs,
  });
}
