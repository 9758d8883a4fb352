import type { Outcome } from '@streamgate/protocol/commands';
import { GatewayError } from '@streamgate/protocol/errors';
import type { Receipt } from '@streamgate/protocol/stream';
import type { RedisLink } from '../backplane/redis-link.js';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import { isReceiptStream } from './accept.js';
import type { Report } from './ledger.js';

/** Receipts that a stream keeps, roughly. */
export const RECEIPTS_KEPT = 1000;
/** A stream that nobody's receipts are written to any more goes away. */
export const RECEIPTS_EXPIRE_SECONDS = 3600;

/** A command as far as a receipt concerns it; as it came in, for refusals have receipts too. */
interface Asked {
  readonly input: { readonly receipt?: unknown; readonly id?: unknown };
  readonly entry?: string;
}

/** Writes outcomes to the streams that services named in `receipt`. */
export class Receipts {
  constructor(
    private readonly link: RedisLink,
    private readonly redisPrefix: string,
    private readonly nodeId: string,
  ) {}

  /** What a ledger that writes receipts itself needs of one; undefined: nobody asked. */
  reportOf(
    { input: { receipt, id }, entry }: Asked,
    outcome: Report['outcome'],
    sessions: number | undefined,
  ): Report | undefined {
    if (typeof receipt !== 'string') return undefined;
    const fields = Object.entries({ ...this.about(id, entry), ...this.here() }).flat();
    return { stream: receipt, outcome, ...(sessions !== undefined && { sessions }), fields };
  }

  /**
   * One receipt for each that asked; none for a failure that passes, since the command is tried
   * again. What cannot be written is counted: the command itself was executed.
   */
  async write(
    asked: readonly Asked[],
    outcomes: readonly (Outcome | GatewayError)[],
  ): Promise<void> {
    const receipts = asked.flatMap(({ input: { receipt, id }, entry }, index) => {
      const outcome = outcomes[index]!;
      if (typeof receipt !== 'string' || !isReceiptStream(receipt, this.redisPrefix)) return [];
      if (outcome instanceof GatewayError && outcome.retryable) return [];
      return [{ stream: receipt, fields: this.fieldsOf(outcome, id, entry) }];
    });
    if (receipts.length === 0) return;
    try {
      await this.link.call((redis) =>
        Promise.all(
          receipts.flatMap(({ stream, fields }) => [
            redis.xadd(stream, 'MAXLEN', '~', RECEIPTS_KEPT, '*', ...fields),
            redis.expire(stream, RECEIPTS_EXPIRE_SECONDS),
          ]),
        ),
      );
    } catch (thrown) {
      metrics.receiptsLost.add('', receipts.length);
      log.warn({ code: (thrown as GatewayError).code }, 'receipts not written');
    }
  }

  private fieldsOf(outcome: Outcome | GatewayError, id: unknown, entry: string | undefined) {
    const refused = outcome instanceof GatewayError;
    const receipt: Receipt = {
      ...this.about(id, entry),
      outcome: refused ? 'refused' : outcome.outcome,
      ...(refused && { code: outcome.code }),
      ...(!refused && outcome.sessions !== undefined && { sessions: String(outcome.sessions) }),
      inboxed: String(refused ? 0 : outcome.inboxed),
      ...this.here(),
    };
    return Object.entries(receipt).flat();
  }

  private about(id: unknown, entry: string | undefined) {
    return { ...(typeof id === 'string' && { id }), ...(entry !== undefined && { entry }) };
  }

  private here() {
    return { node: this.nodeId, time: String(Date.now()) };
  }
}
