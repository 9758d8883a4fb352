import { randomFillSync } from 'node:crypto';
import { type Connection, connectionId } from './socket-io-internals.js';

/** 120 bits, which base64url shows without padding. */
const ID_BYTES = 15;

/** Random bytes for a thousand ids: asking the system for each costs 5 us. */
const entropy = Buffer.alloc(ID_BYTES * 1024);
let entropyUsed = entropy.length;

/** Of a session, or what lets it be continued: nobody guesses it. */
export function newId(): string {
  if (entropyUsed === entropy.length) {
    randomFillSync(entropy);
    entropyUsed = 0;
  }
  return entropy.toString('base64url', entropyUsed, (entropyUsed += ID_BYTES));
}

/** Version 2 clients derive the session's id from the connection's. */
export function newSessionId(namespace: string, connection: Connection): string {
  if (connection.protocol !== 3) return newId();
  const id = connectionId(connection);
  return namespace === '/' ? id : `${namespace}#${id}`;
}
