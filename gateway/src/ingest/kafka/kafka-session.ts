import type { Outcome } from '@streamgate/protocol/commands';
import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import { log } from '../../ops/log.js';
import type { Executor, Item } from '../execute.js';
import { type DeadLetter, DeadLetters } from './dead-letters.js';
import { GroupReader } from './group-reader.js';
import { insist } from './insist.js';
import { type KafkaConfig, reasonOf } from './kafka-client.js';
import { type KafkaMessage, commandOfMessage } from './kafka-message.js';
import { type Format, kafkaNames } from './kafka-names.js';
import { ensureTopics } from './kafka-topics.js';

/** Topics and partitions are looked at again, and the lag is read. */
const WATCH_MS = 15_000;

export interface KafkaParts {
  readonly config: KafkaConfig;
  readonly executor: Pick<Executor, 'executeAll'>;
  readonly nodeId: string;
}

/** One membership of the consumer group, over the topics that there are. */
export class KafkaSession {
  /** Messages that wait in the partitions of this node, as of the last look. */
  lag = 0;
  private readonly formats: ReadonlyMap<string, Format>;
  private readonly letters: DeadLetters;
  private readonly reader: GroupReader;

  private constructor(
    private readonly parts: KafkaParts,
    private readonly topics: ReadonlyMap<string, number>,
    onJoin: () => void,
  ) {
    this.formats = kafkaNames(parts.config.kafkaTopicPrefix).formats;
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
    const items = batch.map((message) => this.itemOf(message));
    const outcomes = await insist(signal, 'Kafka messages wait for the backplane', () =>
      this.settle(items.filter((item): item is Item => !(item instanceof GatewayError))),
    );
    if (!outcomes) return 0;
    const executed = outcomes.values();
    const dead: DeadLetter[] = [];
    for (const [index, item] of items.entries()) {
      const outcome = item instanceof GatewayError ? item : executed.next().value;
      if (outcome instanceof GatewayError) dead.push({ message: batch[index]!, error: outcome });
    }
    const buried = await insist(signal, 'Kafka dead letters cannot be written', async () => {
      for (; dead[0]; dead.shift()) await this.letters.send(dead[0]);
      return true;
    });
    return buried ? batch.length : 0;
  }

  private itemOf(message: KafkaMessage): Item | GatewayError {
    const format = this.formats.get(message.topic) ?? 'command';
    try {
      const input = commandOfMessage(message, format, this.parts.config.commandMaxBytes);
      const writtenAt = Number(message.timestamp);
      return writtenAt > 0 ? { input, writtenAt } : { input };
    } catch (thrown) {
      return toGatewayError(thrown);
    }
  }

  /** @throws GatewayError `backplane_unavailable`: then all of them are to be done again */
  private async settle(items: readonly Item[]): Promise<(Outcome | GatewayError)[]> {
    if (items.length === 0) return [];
    try {
      return await this.parts.executor.executeAll(items, { door: 'kafka' });
    } catch (thrown) {
      const error = toGatewayError(thrown);
      if (error.code !== 'internal') throw error;
      log.error({ err: error.cause }, 'Kafka messages failed');
      if (items.length === 1) return [error];
      // A fault of ours with one of them must not stop the others.
      const outcomes: (Outcome | GatewayError)[] = [];
      for (const item of items) outcomes.push(...(await this.settle([item])));
      return outcomes;
    }
  }
}
