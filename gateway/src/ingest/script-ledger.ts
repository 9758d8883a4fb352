import { GatewayError } from '@streamgate/protocol/errors';
import type { Backplane } from '../backplane/backplane.js';
import type { Config } from '../config.js';
import { ingestKeys } from './ingest-keys.js';
import { argumentsOf, inParts, saidIn } from './ledger-calls.js';
import { SETTLE } from './ledger-scripts.js';
import type { Consumer, Deed, Ledger, Verdict } from './ledger.js';

/** Where acting and recording are one call: whatever dies, a command is executed exactly once. */
export class ScriptLedger implements Ledger {
  readonly writesReceipts = true;
  readonly chains = true;
  private readonly keys: ReturnType<typeof ingestKeys>;
  private readonly lua: string;

  /** @param lua defines `inbox_append`, `hold_room` and `revoke_tokens` */
  constructor(
    private readonly backplane: Required<Pick<Backplane, 'together'>>,
    private readonly config: Pick<Config, 'redisPrefix' | 'idempotencySeconds'>,
    lua: string,
  ) {
    this.keys = ingestKeys(config.redisPrefix);
    this.lua = lua + SETTLE;
  }

  settle(deeds: readonly Deed[], consumer?: Consumer): Promise<Verdict[]> {
    return inParts(deeds, consumer, (part) => this.settleAtOnce(part, consumer));
  }

  private async settleAtOnce(
    deeds: readonly Deed[],
    consumer: Consumer | undefined,
  ): Promise<Verdict[]> {
    const acts = deeds.flatMap((deed) => deed.acts);
    const args = argumentsOf(deeds, consumer, this.config.idempotencySeconds, this.keys.done);
    const answer = await this.backplane.together(acts, { lua: this.lua, args });
    return saidIn(answer).map(({ verdict, inboxed }) => {
      if (verdict === 'conflict') return new GatewayError('idempotency_conflict');
      return verdict === 'duplicate' ? { outcome: verdict } : { outcome: verdict, inboxed };
    });
  }
}
