import type { Outcome } from '@streamgate/protocol/commands';
import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import { log } from '../../ops/log.js';
import { metrics } from '../../ops/metrics.js';
import type { Executor, Item } from '../execute.js';
import type { Receipts } from '../receipts.js';
import type { DeadLetter } from './dead-letters.js';
import { complain, pause } from './insist.js';
import type { KafkaConfig } from './kafka-client.js';
import { type KafkaMessage, commandOfMessage, receiptAskedIn } from './kafka-message.js';
import { type Format, kafkaNames } from './kafka-names.js';

/** Messages that failed together so often are executed one by one: to find out which it is. */
const TOGETHER_MAX = 3;
/** A message that failed so often while all was well is given up. */
const ATTEMPTS_MAX = 8;

export interface SettlementParts {
  readonly config: Pick<KafkaConfig, 'kafkaTopicPrefix' | 'commandMaxBytes'>;
  readonly executor: Pick<Executor, 'executeAll'>;
  /** Absent on a node without Redis, where nobody could read them. */
  readonly receipts: Pick<Receipts, 'write'> | undefined;
  /** Whether other nodes can be reached: a failure meanwhile is nobody's fault. */
  readonly isUp: () => boolean;
}

interface Waiting {
  readonly message: KafkaMessage;
  readonly item: Item;
}

/** Has messages executed, as often as it takes. */
export class Settlement {
  private readonly formats: ReadonlyMap<string, Format>;

  constructor(private readonly parts: SettlementParts) {
    this.formats = kafkaNames(parts.config.kafkaTopicPrefix).formats;
  }

  /**
   * Executes in order; what fails for a passing cause is done again before anything that comes later.
   * @returns what cannot be executed, in order; undefined when aborted before all was settled
   */
  async settle(
    messages: readonly KafkaMessage[],
    signal: AbortSignal,
  ): Promise<DeadLetter[] | undefined> {
    const refused = new Map<KafkaMessage, GatewayError>();
    let waiting = await this.translate(messages, refused);
    let attempts = 0;
    for (let failures = 0; waiting.length > 0;) {
      const tried = attempts < TOGETHER_MAX ? waiting : waiting.slice(0, 1);
      const outcomes = await this.execute(tried);
      const failed: Waiting[] = [];
      for (const [index, one] of tried.entries()) {
        const outcome = outcomes[index];
        if (!(outcome instanceof GatewayError)) continue;
        if (!outcome.retryable) refused.set(one.message, outcome);
        else if (tried.length > 1 || attempts < ATTEMPTS_MAX) failed.push(one);
        else {
          log.error({ err: outcome, topic: one.message.topic }, 'a Kafka message is given up');
          const reason = `Failed ${ATTEMPTS_MAX} times: ${outcome.code}`;
          const error = new GatewayError('gave_up', reason, { cause: outcome });
          refused.set(one.message, error);
          await this.parts.receipts?.write([one.item], [error]);
        }
      }
      waiting = [...failed, ...waiting.slice(tried.length)];
      if (failed.length === 0) attempts = failures = 0;
      else {
        if (this.parts.isUp()) attempts += 1;
        complain('Kafka messages wait for the backplane', outcomes.find(isPassing));
        await pause((failures += 1), signal);
        if (signal.aborted) return undefined;
      }
    }
    return messages.flatMap((message) => {
      const error = refused.get(message);
      return error ? [{ message, error }] : [];
    });
  }

  private async translate(
    messages: readonly KafkaMessage[],
    refused: Map<KafkaMessage, GatewayError>,
  ): Promise<Waiting[]> {
    const waiting: Waiting[] = [];
    for (const message of messages)
      try {
        waiting.push({ message, item: this.itemOf(message) });
      } catch (thrown) {
        const error = toGatewayError(thrown);
        metrics.commands.add('kafka', error.code);
        refused.set(message, error);
      }
    const asked = [...refused.keys()].map((message) => ({ input: receiptAskedIn(message) }));
    if (asked.length > 0) await this.parts.receipts?.write(asked, [...refused.values()]);
    return waiting;
  }

  /** @throws GatewayError as `commandOfMessage` */
  private itemOf(message: KafkaMessage): Item {
    const format = this.formats.get(message.topic) ?? 'command';
    const input = commandOfMessage(message, format, this.parts.config.commandMaxBytes);
    const { topic, partition, offset, timestamp } = message;
    // With the time: a topic that is made anew counts from 0 again.
    const item = { input, tag: `${topic}/${partition}/${offset}/${timestamp}` };
    const writtenAt = Number(timestamp);
    return writtenAt > 0 ? { ...item, writtenAt } : item;
  }

  /** A failure of all at once says nothing of any: all of them have failed. */
  private async execute(waiting: readonly Waiting[]): Promise<(Outcome | GatewayError)[]> {
    const items = waiting.map(({ item }) => item);
    try {
      return await this.parts.executor.executeAll(items, { door: 'kafka' });
    } catch (thrown) {
      const error = toGatewayError(thrown);
      return items.map(() => error);
    }
  }
}

function isPassing(outcome: Outcome | GatewayError): boolean {
  return outcome instanceof GatewayError && outcome.retryable;
}
