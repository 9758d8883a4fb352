import type { GatewayError } from '@streamgate/protocol/errors';
import { type DeadLetter, entryOfDead } from '@streamgate/protocol/stream';
import { log, repeated } from '../../ops/log.js';
import { metrics } from '../../ops/metrics.js';
import type { Entry, PartitionReader } from './partition-reader.js';

/** Dead entries that are kept, roughly; the oldest go first. */
const KEPT = 10_000;
/** Bytes of Redis' memory that they may take; the newest is kept even when it is larger. */
const KEPT_BYTES = 64 * 1024 * 1024;
/** Texts of an entry, above which they are kept as one: Lua's stack has an end. */
const TEXTS_MAX = 1000;

/** An entry that cannot be executed, and why. */
export interface Burial {
  readonly entry: Entry;
  readonly error: GatewayError;
}

/** The stream of what could not be executed. */
export class DeadLetters {
  constructor(
    private readonly reader: Pick<PartitionReader, 'run' | 'consumer'>,
    private readonly stream: string,
    private readonly nodeId: string,
    private readonly keptBytes = KEPT_BYTES,
  ) {}

  /**
   * Moves entries from the partition to the dead stream, in one step.
   * @throws GatewayError `lease_lost`, `backplane_unavailable`
   */
  async bury(burials: readonly Burial[]): Promise<void> {
    const { stream, group, leaseKey, token } = this.reader.consumer;
    const args: (string | number)[] = [token, group, TEXTS_MAX, KEPT, this.keptBytes];
    for (const { entry, error } of burials) {
      // Its own fields, which may be large, never leave Redis.
      const texts = entryOfDead([], this.letter(entry, error, stream));
      args.push(entry.id, texts.length, ...texts);
    }
    const dropped = await this.reader.run('bury', [leaseKey, stream, this.stream], args);
    metrics.deadLettersDropped.add('', dropped as number);
    for (const { entry, error } of burials) {
      metrics.deadLetters.add(error.code);
      repeated(`dead letters: ${error.code}`, 10_000, (more) =>
        log.warn({ stream, entry: entry.id, code: error.code, more }, 'a command is dead'),
      );
    }
  }

  private letter({ id }: Entry, { code, message }: GatewayError, stream: string): DeadLetter {
    return { reason: message, code, time: Date.now(), node: this.nodeId, stream, entry: id };
  }
}
