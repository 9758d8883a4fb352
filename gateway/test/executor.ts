import type { Backplane } from '../src/backplane/backplane.js';
import type { Rules } from '../src/ingest/accept.js';
import { type Caller, Executor } from '../src/ingest/execute.js';
import { MemoryLedger } from '../src/ingest/ledger.js';

/** A caller whom a door trusts. */
export const TRUSTED: Caller = { door: 'tcp' };

export const executorConfig: Rules = {
  emitRoles: ['service'],
  redisPrefix: 'streamgate',
  inboxAck: 'heartbeat',
};

/** An executor of a node without Redis, whatever its backplane. */
export function memoryExecutor(backplane: Backplane, config: Rules = executorConfig): Executor {
  const ledger = new MemoryLedger(backplane, 60_000, ({ users }) => users.length);
  return new Executor({ config, backplane, ledger, receipts: undefined });
}
