import { PATTERNS, type Pattern } from '@streamgate/protocol/patterns';

/** What is read from a topic: one of document 1's patterns, or commands with all fields. */
export type Format = Pattern | 'command';

/** Behind the name of a topic: where its messages go that cannot be executed. */
export const DEAD = '.dead';

/** Names in Kafka, where a topic's may hold no colon. @param prefix `STREAMGATE_KAFKA_TOPIC_PREFIX` */
export function kafkaNames(prefix = '') {
  return {
    group: `${prefix}streamgate`,
    formats: new Map<string, Format>([
      ...PATTERNS.map((pattern) => [prefix + pattern.replaceAll(':', '.'), pattern] as const),
      [`${prefix}streamgate.commands`, 'command'],
    ]),
  };
}
