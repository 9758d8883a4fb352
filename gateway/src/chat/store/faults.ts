/**
 * What an error of the driver means.
 * - `away`: the database cannot be reached, or cannot be written to
 * - `cut`: this connection broke; whether the database is away has to be asked
 * - `busy`: it is there and did not do it now
 * - `config`: an operator has to put it right
 * - `ours`: everything else
 */
export type FaultKind = 'away' | 'cut' | 'busy' | 'config' | 'ours';

export interface Fault {
  readonly kind: FaultKind;
  /** For log and health: never the message of the error, which may name hosts, users and values. */
  readonly reason: string;
}

/**
 * By SQLSTATE or its class (PostgreSQL, appendix "Error Codes"). The driver reports what a server
 * that ends says while a connection is used, too.
 */
const BY_STATE: readonly (readonly [prefix: string, FaultKind, reason: string])[] = [
  ['08', 'cut', 'the connection failed'],
  ['25006', 'away', 'it is read-only'],
  ['28', 'config', 'it refuses the user or the password'],
  ['3D000', 'config', 'there is no such database'],
  ['40', 'busy', 'it gave up a transaction'],
  ['42501', 'config', 'the user lacks a permission'],
  ['53', 'busy', 'it lacks connections, memory or disk space'],
  ['55P03', 'busy', 'a lock was not free in time'],
  ['57014', 'busy', 'a statement took too long'],
  ['57P03', 'away', 'it is starting or stopping'],
  ['57', 'cut', 'it is stopping'],
];

/** What pg and pg-pool say without a code (node-postgres, `pg/lib/client.js`, `pg-pool/index.js`). */
const BY_MESSAGE: readonly (readonly [RegExp, FaultKind, reason: string])[] = [
  [/timeout exceeded when trying to connect/, 'busy', 'all connections are in use'],
  [/due to connection timeout|timeout expired/, 'away', 'no connection in time'],
  [/query read timeout/i, 'away', 'no answer in time'],
  [/does not support SSL/, 'config', 'it does not offer TLS'],
  [/terminated|not queryable|calling end on the pool|is clos/i, 'cut', 'the connection broke'],
];

/** Connections that break while they are used; other codes of the system are of connecting. */
const CUTS = new Set(['ECONNRESET', 'EPIPE']);

export function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return { kind: 'ours', reason: 'unknown' };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (/^[0-9A-Z]{5}$/.test(code) && 'severity' in error) {
    const [, kind, reason] = BY_STATE.find(([prefix]) => code.startsWith(prefix)) ?? [];
    return kind && reason ? { kind, reason } : { kind: 'ours', reason: `SQLSTATE ${code}` };
  }
  const said = BY_MESSAGE.find(([pattern]) => pattern.test(error.message));
  if (said) return { kind: said[1], reason: said[2] };
  // PGlite is WebAssembly: what has crashed is opened anew.
  if (error.name === 'RuntimeError') return { kind: 'away', reason: 'it crashed' };
  if (code) return { kind: CUTS.has(code) ? 'cut' : 'away', reason: code };
  return { kind: 'ours', reason: error.name };
}
