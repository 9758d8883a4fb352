import type { BaseOptions } from '@platformatic/kafka';
import type { Config } from '../../config.js';

/** Of the configuration, what the Kafka door goes by. */
export type KafkaConfig = Pick<
  Config,
  | 'kafkaBrokers'
  | 'kafkaTopicPrefix'
  | 'kafkaTls'
  | 'kafkaCa'
  | 'kafkaSaslMechanism'
  | 'kafkaSaslUsername'
  | 'kafkaSaslPassword'
  | 'commandMaxBytes'
>;

/** How every client of the door reaches the brokers. */
export function clientOptions(config: KafkaConfig): BaseOptions {
  const { kafkaBrokers = [], kafkaTls, kafkaCa, kafkaSaslMechanism: mechanism } = config;
  const { kafkaSaslUsername: username, kafkaSaslPassword: password } = config;
  return {
    clientId: 'streamgate',
    // Within a call, which may try several brokers; the door itself tries without end.
    retries: 3,
    retryDelay: 300,
    bootstrapBrokers: [...kafkaBrokers],
    ...(kafkaTls && { tls: kafkaCa === undefined ? {} : { ca: kafkaCa }, tlsServerName: true }),
    ...(mechanism && {
      sasl: { mechanism, ...(username && { username }), ...(password && { password }) },
    }),
  };
}

/** Why the brokers did not do it: the words of the innermost errors, which carry no message. */
export function reasonOf(error: unknown): string {
  const reasons = new Set<string>();
  collect(error, reasons);
  return [...reasons].join('; ');
}

function collect(error: unknown, reasons: Set<string>): void {
  if (error instanceof AggregateError && error.errors.length > 0)
    for (const inner of error.errors) collect(inner, reasons);
  else if (error instanceof Error && error.cause instanceof Error) collect(error.cause, reasons);
  else reasons.add(error instanceof Error ? error.message || error.name : String(error));
}
