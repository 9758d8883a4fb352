import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import type { Backplane } from '../backplane/backplane.js';
import type { Config } from '../config.js';
import { ingestKeys } from './ingest-keys.js';
import { argumentsOf, saidIn } from './ledger-calls.js';
import { SETTLE } from './ledger-scripts.js';
import type { Consumer, Deed, Ledger, Verdict } from './ledger.js';

/** Acts of one call, and deeds. */
const CALL_MAX = 64;

/** Where acting and recording are one call: whatever dies, a command is executed exactly once. */
export class ScriptLedger implements Ledger {
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

  async settle(deeds: readonly Deed[], consumer?: Consumer): Promise<Verdict[]> {
    const verdicts: Verdict[] = [];
    for (const part of partsOf(deeds))
      try {
        verdicts.push(...(await this.settleAtOnce(part, consumer)));
      } catch (thrown) {
        // Nobody else remembers what was done before it.
        if (consumer || verdicts.length === 0) throw thrown;
        for (const _ of part) verdicts.push(toGatewayError(thrown));
      }
    return verdicts;
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

/** As many as one call takes. */
function* partsOf(deeds: readonly Deed[]): Generator<Deed[]> {
  let part: Deed[] = [];
  let acts = 0;
  for (const deed of deeds) {
    const isFull = part.length === CALL_MAX || acts + deed.acts.length > CALL_MAX;
    if (part.length > 0 && isFull) {
      yield part;
      part = [];
      acts = 0;
    }
    part.push(deed);
    acts += deed.acts.length;
  }
  if (part.length > 0) yield part;
}
