import { setTimeout as delay } from 'node:timers/promises';
import type { Outcome } from '@streamgate/protocol/commands';
import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import { log, repeated } from '../../ops/log.js';
import { metrics } from '../../ops/metrics.js';
import type { Door } from '../door.js';
import type { Executor, Item } from '../execute.js';
import { type DeadLetter, DeadLetters } from './dead-letters.js';
import { GroupReader } from './group-reader.js';
import { type KafkaConfig, reasonOf } from './kafka-client.js';
import { type KafkaMessage, commandOfMessage } from './kafka-message.js';
import { ensureTopics, kafkaNames } from './kafka-topics.js';

/** Topics and partitions are looked at again, and the lag is read. */
const WATCH_MS = 15_000;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5000;
const TELL_MS = 10_000;
const CLOSE_MS = 2000;

/**
 * The Kafka door: executes what services write to its topics, in the order of each partition, and
 * commits what is done. While Kafka is away the node goes on without it.
 */
export class KafkaDoor implements Door {
  private readonly closing = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private reader: GroupReader | undefined;
  private lag = 0;
  private joined = false;

  constructor(
    private readonly config: KafkaConfig,
    private readonly executor: Pick<Executor, 'executeAll'>,
    private readonly nodeId: string,
  ) {}

  /** Does not wait for Kafka. */
  start(): void {
    metrics.kafkaUp.read(() => Number(this.joined));
    metrics.kafkaLag.read(() => this.lag);
    this.running = this.run();
  }

  /** Finishes what is being executed, commits it and leaves the group; not if Kafka is away. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.reader?.close();
    await Promise.race([this.running, delay(CLOSE_MS, undefined, { ref: false })]);
  }

  private async run(): Promise<void> {
    const { signal } = this.closing;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        await this.serve(() => (attempt = 0));
      } catch (error) {
        if (signal.aborted) break;
        repeated('kafka', TELL_MS, (more) =>
          log.warn({ reason: reasonOf(error), more }, 'Kafka is away'),
        );
      }
      await pause(attempt, signal);
    }
  }

  /** Until the group, the topics or the brokers say otherwise. */
  private async serve(onJoin: () => void): Promise<void> {
    const topics = await ensureTopics(this.config);
    if (topics.size === 0) throw new Error('none of the topics exists');
    if (this.closing.signal.aborted) return;
    const letters = new DeadLetters(this.config, this.nodeId);
    const reader = new GroupReader(this.config, topics.keys(), () => {
      if (!this.joined) log.info({ topics: [...topics.keys()] }, 'Kafka is there');
      this.joined = true;
      onJoin();
    });
    this.reader = reader;
    const watch = setInterval(() => void this.watch(reader, topics), WATCH_MS);
    try {
      await reader.run((batch, signal) => this.execute(batch, letters, signal));
    } finally {
      clearInterval(watch);
      this.joined = false;
      this.lag = 0;
      await reader.close();
      await letters.close();
    }
  }

  private async watch(reader: GroupReader, topics: ReadonlyMap<string, number>): Promise<void> {
    try {
      this.lag = await reader.lag();
      const now = await ensureTopics(this.config);
      if (![...now].every(([topic, count]) => topics.get(topic) === count)) {
        log.info('Kafka topics have changed');
        await reader.close();
      }
    } catch (error) {
      // The reader notices by itself when it cannot go on.
      log.debug({ reason: reasonOf(error) }, 'Kafka topics not looked at');
    }
  }

  /** @returns how many messages, from the first on, are executed or dead letters */
  private async execute(
    batch: readonly KafkaMessage[],
    letters: DeadLetters,
    signal: AbortSignal,
  ): Promise<number> {
    const dead: DeadLetter[] = [];
    const live: KafkaMessage[] = [];
    const items: Item[] = [];
    for (const message of batch) {
      const item = this.itemOf(message);
      if (item instanceof GatewayError) dead.push({ message, error: item });
      else {
        live.push(message);
        items.push(item);
      }
    }
    const outcomes = await this.settle(items, signal);
    if (!outcomes) return 0;
    for (const [index, outcome] of outcomes.entries())
      if (outcome instanceof GatewayError) dead.push({ message: live[index]!, error: outcome });
    const buried = await insist(signal, 'Kafka dead letters cannot be written', async () => {
      for (; dead[0]; dead.shift()) await letters.send(dead[0]);
      return true;
    });
    // Between here and the commit nothing is forgotten: at worst it is read again.
    return buried ? batch.length : 0;
  }

  private itemOf(message: KafkaMessage): Item | GatewayError {
    const format = kafkaNames(this.config.kafkaTopicPrefix).formats.get(message.topic);
    try {
      const input = commandOfMessage(message, format ?? 'command', this.config.commandMaxBytes);
      const writtenAt = Number(message.timestamp);
      return writtenAt > 0 ? { input, writtenAt } : { input };
    } catch (thrown) {
      return toGatewayError(thrown);
    }
  }

  /**
   * Executes until the backplane takes them, so that nothing overtakes.
   * @returns undefined when the partitions moved before
   */
  private async settle(items: readonly Item[], signal: AbortSignal) {
    if (items.length === 0) return [];
    return insist(signal, 'Kafka messages wait for the backplane', () => this.attempt(items));
  }

  /** @throws GatewayError `backplane_unavailable` */
  private async attempt(items: readonly Item[]): Promise<(Outcome | GatewayError)[]> {
    try {
      return await this.executor.executeAll(items, { door: 'kafka' });
    } catch (thrown) {
      const error = toGatewayError(thrown);
      if (error.code !== 'internal') throw error;
      log.error({ err: error.cause }, 'Kafka messages failed');
      if (items.length === 1) return [error];
      // A fault of ours with one of them must not stop the others.
      const outcomes: (Outcome | GatewayError)[] = [];
      for (const item of items) outcomes.push(...(await this.attempt([item])));
      return outcomes;
    }
  }
}

/** Does it again until it succeeds. @returns undefined when aborted before */
async function insist<T>(
  signal: AbortSignal,
  complaint: string,
  action: () => Promise<T>,
): Promise<T | undefined> {
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    try {
      return await action();
    } catch (error) {
      repeated(complaint, TELL_MS, (more) =>
        log.warn({ reason: reasonOf(error), more }, complaint),
      );
    }
    await pause(attempt, signal);
  }
  return undefined;
}

/** Longer each time, and never the same on two nodes; ends with the signal. */
async function pause(attempt: number, signal: AbortSignal): Promise<void> {
  const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 10));
  const ended = delay(longest * (0.5 + Math.random() / 2), undefined, { signal, ref: false });
  await ended.catch(ignoreAborted);
}

function ignoreAborted(): void {}
