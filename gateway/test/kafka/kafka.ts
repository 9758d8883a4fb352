import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka';
import type { TestBroker } from './broker.js';

/** A dead letter as an operator reads it. */
export interface Letter {
  readonly key: string | undefined;
  readonly value: string | undefined;
  readonly headers: Record<string, string>;
}

/** A service that writes to the topics and reads dead letters. */
export class KafkaService {
  private readonly producer: Producer<string, string, string, string>;

  constructor(private readonly broker: TestBroker) {
    this.producer = new Producer({ ...broker.client, serializers: stringSerializers });
  }

  /** @param value what is no text is written as JSON */
  async write(
    topic: string,
    value: unknown,
    more: { key?: string; timestamp?: number; headers?: Record<string, string> } = {},
  ) {
    const { timestamp, ...rest } = more;
    await this.producer.send({
      messages: [
        {
          topic,
          value: typeof value === 'string' ? value : JSON.stringify(value),
          ...(timestamp !== undefined && { timestamp: BigInt(timestamp) }),
          ...rest,
        },
      ],
    });
  }

  /** The first dead letters of a topic. */
  async deadLetters(topic: string, count: number): Promise<Letter[]> {
    const consumer = new Consumer({
      ...this.broker.client,
      groupId: `test-${Date.now()}`,
      deserializers: stringDeserializers,
    });
    const stream = await consumer.consume({
      topics: [`${topic}.dead`],
      mode: 'earliest',
      maxWaitTime: 200,
    });
    const letters: Letter[] = [];
    for await (const { key, value, headers } of stream) {
      letters.push({ key, value, headers: Object.fromEntries(headers) });
      if (letters.length === count) break;
    }
    await consumer.close(true);
    return letters;
  }

  async close(): Promise<void> {
    await this.producer.close();
  }
}
