import { randomUUID } from 'node:crypto';
import { Consumer, stringDeserializers } from '@platformatic/kafka';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import type { CommandFields } from '@streamgate/protocol/command-fields';
import { streamNames } from '@streamgate/protocol/stream';
import { eventually } from '../client.js';
import { Cluster } from '../cluster.js';
import { DOOR_ENV, doorCases } from '../contract/doors/cases.js';
import { type ServiceDoor, type Told, toldBy } from '../contract/doors/doors.js';
import { startBroker } from './broker.js';
import { KafkaService } from './kafka.js';

/** The cases of all doors, through Kafka: here, because they need a broker. */
const TOPIC = 'streamgate.commands';
const broker = await startBroker();
afterAll(() => broker.stop());

// `memory` has no receipts, by which a service is told.
describe.each(['mailbox', 'streams', 'pubsub'] as const)('on %s', (topology) => {
  const env = { ...DOOR_ENV, STREAMGATE_KAFKA_BROKERS: broker.address };
  const cluster = new Cluster(topology, env);
  beforeAll(async () => {
    await cluster.start();
    for (const node of [cluster.one, cluster.two])
      await node.logged(({ msg }) => msg === 'Kafka is there');
  });
  afterEach(() => cluster.clear());
  afterAll(() => cluster.stop());
  doorCases('kafka', cluster, openKafka);
});

async function openKafka(cluster: Cluster): Promise<ServiceDoor> {
  const service = new KafkaService(broker);
  const redis = new Redis(cluster.redisUrl);
  const receipts = streamNames('streamgate').receipts;
  const dead = new Map<string, string>();
  const consumer = new Consumer({
    ...broker.client,
    groupId: randomUUID(),
    deserializers: stringDeserializers,
  });
  const stream = await consumer.consume({
    topics: [`${TOPIC}.dead`],
    mode: 'earliest',
    maxWaitTime: 100,
  });
  stream.on('data', ({ headers }) => {
    dead.set(headers.get('case') ?? '', headers.get('streamgate-code') ?? '');
  });

  async function write(fields: CommandFields): Promise<() => Promise<Told>> {
    const name = randomUUID();
    const receipt = fields.receipt ?? receipts + name;
    const more = { key: 'one', headers: { case: name } };
    await service.write(TOPIC, { ...fields, receipt }, more);
    return async () => {
      const told = await eventually(
        async () => {
          const code = dead.get(name);
          if (code !== undefined) return { code };
          const [entry] = await redis.xrange(receipt as string, '-', '+').catch(() => []);
          return entry && toldBy(entry[1]);
        },
        (value) => value !== undefined,
      );
      return told!;
    };
  }

  return {
    speaks: () => true,
    emit: async (fields) => (await write(fields))(),
    async emitAll(commands) {
      const written: (() => Promise<Told>)[] = [];
      for (const fields of commands) written.push(await write(fields));
      return Promise.all(written.map((answer) => answer()));
    },
    async close() {
      redis.disconnect();
      await service.close();
      await consumer.close(true);
    },
  };
}
