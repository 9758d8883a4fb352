import { ProduceAcks, Producer, findErrorBy, stringSerializers } from '@platformatic/kafka';
import type { GatewayError } from '@streamgate/protocol/errors';
import { metrics } from '../../ops/metrics.js';
import { type KafkaConfig, clientOptions } from './kafka-client.js';
import type { KafkaMessage } from './kafka-message.js';
import { DEAD } from './kafka-names.js';

/** A message that cannot be executed, and why. */
export interface DeadLetter {
  readonly message: KafkaMessage;
  readonly error: GatewayError;
}

/** Puts messages that cannot be executed into `<topic>.dead`, as they were, with the reason in headers. */
export class DeadLetters {
  private readonly producer: Producer<Buffer | undefined, Buffer | undefined, string, string>;

  constructor(
    config: KafkaConfig,
    private readonly nodeId: string,
  ) {
    this.producer = new Producer<Buffer | undefined, Buffer | undefined, string, string>({
      ...clientOptions(config),
      acks: ProduceAcks.ALL,
      serializers: {
        headerKey: stringSerializers.headerKey,
        headerValue: stringSerializers.headerValue,
      },
    });
  }

  /** @throws Error when the brokers did not take it; it may be written all the same */
  async send({ message, error }: DeadLetter): Promise<void> {
    const letter = {
      topic: message.topic + DEAD,
      key: message.key,
      headers: { ...Object.fromEntries(message.headers), ...this.headersOf(message, error) },
    };
    try {
      await this.producer.send({ messages: [{ ...letter, value: message.value }] });
    } catch (thrown) {
      if (!findErrorBy(thrown as Error, 'apiId', 'MESSAGE_TOO_LARGE')) throw thrown;
      // The headers were one too many: they say where the message itself is.
      await this.producer.send({ messages: [{ ...letter, value: undefined }] });
    }
    metrics.kafkaDead.add(error.code);
  }

  close(): Promise<void> {
    return this.producer.close();
  }

  private headersOf({ topic, partition, offset }: KafkaMessage, { code, message }: GatewayError) {
    return {
      'streamgate-reason': message,
      'streamgate-code': code,
      'streamgate-topic': topic,
      'streamgate-partition': String(partition),
      'streamgate-offset': String(offset),
      'streamgate-time': new Date().toISOString(),
      'streamgate-node': this.nodeId,
    };
  }
}
