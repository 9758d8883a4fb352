import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreConfigError } from './chat-store.js';

/**
 * Takes a folder for this process alone, and makes it when it is not there. Node has no file locks
 * of its own; SQLite's is the operating system's, which lets go of it however the process ends.
 * @returns what gives the folder back
 * @throws StoreConfigError when another process has it, or it cannot be written
 */
export function lockFolder(folder: string): () => void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const lock = new DatabaseSync(join(folder, 'lock'), { timeout: 0 });
    lock.exec('pragma locking_mode = exclusive; begin exclusive');
    return () => lock.close();
  } catch (error) {
    const { code, errcode } = error as { code?: string; errcode?: number };
    const why =
      errcode === SQLITE_BUSY
        ? 'is used by another process; give each its own STREAMGATE_DATA_DIR, or all one STREAMGATE_DATABASE_URL'
        : `cannot be used (${code})`;
    throw new StoreConfigError(`The folder ${folder} ${why}.`, { cause: error });
  }
}

/** https://sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5;
