import { log } from '../../ops/log.js';
import { DeadLetters } from './dead-letters.js';
import { GroupReader } from './group-reader.js';
import { insist } from './insist.js';
import { type KafkaConfig, reasonOf } from './kafka-client.js';
import type { KafkaMessage } from './kafka-message.js';
import { ensureTopics } from './kafka-topics.js';
import { Settlement, type SettlementParts } from './settlement.js';

/** Topics and partitions are looked at again, and the lag is read. */
const WATCH_MS = 15_000;
/** What is executed at once at most, unless it is a single message. */
const BYTES_MAX = 256 * 1024;

export interface KafkaParts extends SettlementParts {
  readonly config: KafkaConfig;
  readonly nodeId: string;
}

/** One membership of the consumer group, over the topics that there are. */
export class KafkaSession {
  /** Messages that wait in the partitions of this node, as of the last look. */
  lag = 0;
  private readonly settlement: Settlement;
  private readonly letters: DeadLetters;
  private readonly reader: GroupReader;

  private constructor(
    private readonly parts: KafkaParts,
    private readonly topics: ReadonlyMap<string, number>,
    onJoin: () => void,
  ) {
    this.settlement = new Settlement(parts);
    this.letters = new DeadLetters(parts.config, parts.nodeId);
    this.reader = new GroupReader(parts.config, topics.keys(), onJoin);
  }

  /**
   * @param onJoin called after each rebalance
   * @throws Error when the brokers cannot be asked, or none of the topics exists
   */
  static async open(parts: KafkaParts, onJoin: () => void): Promise<KafkaSession> {
    const topics = await ensureTopics(parts.config);
    if (topics.size === 0) throw new Error('none of the topics exists');
    return new KafkaSession(parts, topics, onJoin);
  }

  /**
   * Executes until closed, or until the topics have changed.
   * @throws Error when the brokers cannot be reached or do not keep this member
   */
  async run(): Promise<void> {
    const watch = setInterval(() => void this.watch(), WATCH_MS);
    try {
      await this.reader.run((batch, signal) => this.execute(batch, signal));
    } finally {
      clearInterval(watch);
      await this.reader.close();
      await this.letters.close();
    }
  }

  /** Finishes what is being executed, commits it and leaves the group; `run` then ends. */
  close(): Promise<void> {
    return this.reader.close();
  }

  private async watch(): Promise<void> {
    try {
      this.lag = await this.reader.lag();
      const now = await ensureTopics(this.parts.config);
      if ([...now].every(([topic, partitions]) => this.topics.get(topic) === partitions)) return;
      log.info('Kafka topics have changed');
      await this.reader.close();
    } catch (error) {
      // The reader notices by itself when it cannot go on.
      log.debug({ reason: reasonOf(error) }, 'Kafka topics not looked at');
    }
  }

  /** @returns how many messages, from the first on, are executed or dead letters */
  private async execute(batch: readonly KafkaMessage[], signal: AbortSignal): Promise<number> {
    let done = 0;
    while (done < batch.length) {
      const part = withinBytes(batch.slice(done));
      const refused = await this.settlement.settle(part, signal);
      if (!refused) break;
      const buried = await insist(signal, 'Kafka dead letters cannot be written', async () => {
        for (; refused[0]; refused.shift()) await this.letters.send(refused[0]);
        return true;
      });
      if (!buried) break;
      done += part.length;
    }
    return done;
  }
}

/** As many, from the first on, as are executed at once. */
function withinBytes(batch: readonly KafkaMessage[]): readonly KafkaMessage[] {
  let bytes = 0;
  const end = batch.findIndex(({ value }) => (bytes += value?.length ?? 0) > BYTES_MAX);
  return end < 0 ? batch : batch.slice(0, Math.max(end, 1));
}
