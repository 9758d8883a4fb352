import { Admin, findErrorBy } from '@platformatic/kafka';
import { log, repeated } from '../../ops/log.js';
import { type KafkaConfig, clientOptions, reasonOf } from './kafka-client.js';
import { DEAD, kafkaNames } from './kafka-names.js';

const TELL_MS = 60_000;

/**
 * The topics of the door that exist, with their numbers of partitions. Those that are missing are
 * made with the brokers' defaults, where the brokers allow it.
 * @throws Error when the brokers cannot be asked
 */
export async function ensureTopics(config: KafkaConfig): Promise<ReadonlyMap<string, number>> {
  const topics = [...kafkaNames(config.kafkaTopicPrefix).formats.keys()];
  const admin = new Admin({ ...clientOptions(config), retries: 1, retryDelay: 200 });
  try {
    const there = new Set(await admin.listTopics());
    for (const topic of topics.flatMap((name) => [name, name + DEAD]))
      if (!there.has(topic) && (await created(admin, topic))) there.add(topic);
    const present = topics.filter((topic) => there.has(topic));
    const { topics: metadata } = await admin.metadata({ topics: present, forceUpdate: true });
    return new Map(present.map((topic) => [topic, metadata.get(topic)?.partitionsCount ?? 0]));
  } finally {
    await admin.close();
  }
}

async function created(admin: Admin, topic: string): Promise<boolean> {
  try {
    await admin.createTopics({ topics: [topic], partitions: -1, replicas: -1 });
    log.info({ topic }, 'Kafka topic created');
    return true;
  } catch (error) {
    if (findErrorBy(error as Error, 'apiId', 'TOPIC_ALREADY_EXISTS')) return true;
    repeated(`kafka topic ${topic}`, TELL_MS, (more) =>
      log.warn({ topic, reason: reasonOf(error), more }, 'Kafka topic is missing'),
    );
    return false;
  }
}
