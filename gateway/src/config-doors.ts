import { OUTBOUND_TYPES } from '@streamgate/protocol/outbound';
import * as value from './config-values.js';
import type { Variable } from './config-values.js';

/** The part of the variables that concerns services: the doors, and what goes out to them. */

const KIB = 1024;
const MIB = 1024 * KIB;

export const commands = {
  STREAMGATE_STREAM_PARTITIONS: {
    schema: value.whole(1, 1024),
    default: '1',
    help: 'Streams that commands are written to, each executed by one node at a time; the node that started last decides',
  },
  STREAMGATE_IDEMPOTENCY_SECONDS: {
    schema: value.whole(1, 2_592_000),
    default: '300',
    help: 'How long the `id` of a command is remembered',
  },
  STREAMGATE_COMMAND_MAX_BYTES: {
    schema: value.whole(KIB, 64 * MIB),
    default: String(MIB),
    help: 'Largest command, through any door; a batch of REST has it as a whole',
  },
} as const satisfies Record<string, Variable>;

export const tcp = {
  STREAMGATE_TCP_PORT: {
    schema: value.port,
    help: 'Port of the Nest TCP door; unset: no such door; 0 = any free port, printed at start',
  },
  STREAMGATE_TCP_HOST: {
    schema: value.text,
    default: '127.0.0.1',
    help: 'Address that it listens on; it has no authentication: who reaches it is trusted',
  },
  STREAMGATE_TCP_TLS_KEY: {
    schema: value.privateKey,
    mask: value.hidden,
    help: 'Private key of the TCP door, PEM text; unset: no TLS',
  },
  STREAMGATE_TCP_TLS_CERT: {
    schema: value.certificates,
    help: 'Its certificate, those of the authorities between behind it, PEM text',
  },
} as const satisfies Record<string, Variable>;

export const kafka = {
  STREAMGATE_KAFKA_BROKERS: {
    schema: value.brokers,
    help: 'Kafka brokers to ask first, as `host:port,host:port`; unset: no Kafka door',
  },
  STREAMGATE_KAFKA_TOPIC_PREFIX: {
    schema: value.text.regex(
      /^[\w.-]{1,64}$/,
      'must be 1 to 64 letters, digits, dots, dashes or underscores',
    ),
    help: 'Begins the name of every topic and of the consumer group',
  },
  STREAMGATE_KAFKA_TLS: {
    schema: value.flag,
    default: 'false',
    help: 'Speak TLS to the brokers',
  },
  STREAMGATE_KAFKA_CA: {
    schema: value.text,
    help: "Certificates that sign the brokers', PEM text; unset: those that Node knows",
  },
  STREAMGATE_KAFKA_SASL_MECHANISM: {
    schema: value.oneOf('PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'),
    help: 'How to log in to the brokers; unset: not at all',
  },
  STREAMGATE_KAFKA_SASL_USERNAME: { schema: value.text, help: 'Who logs in to the brokers' },
  STREAMGATE_KAFKA_SASL_PASSWORD: {
    schema: value.text,
    mask: value.hidden,
    help: 'With what',
  },
} as const satisfies Record<string, Variable>;

export const outbound = {
  STREAMGATE_EVENTS_OUT: {
    schema: value.listOf(...OUTBOUND_TYPES),
    help: `What services hear in the stream \`streamgate:events\`: ${OUTBOUND_TYPES.map((type) => `\`${type}\``).join(', ')}; unset: nothing`,
  },
  STREAMGATE_EVENTS_OUT_LENGTH: {
    schema: value.whole(1, 100_000_000),
    default: '100000',
    help: 'Entries that the stream keeps; the oldest go first, read or not',
  },
} as const satisfies Record<string, Variable>;

export const inbox = {
  STREAMGATE_INBOX_MAX_EVENTS: {
    schema: value.whole(1, 1_000_000),
    default: '10000',
    help: 'Events that wait for a user at most; the oldest go first',
  },
  STREAMGATE_INBOX_MAX_BYTES: {
    schema: value.whole(KIB, 1024 * MIB),
    default: String(8 * MIB),
    help: 'The same in bytes; the newest event is kept even when it is larger',
  },
  STREAMGATE_INBOX_SECONDS: {
    schema: value.whole(1, 31_536_000),
    default: '604800',
    help: 'How long an event waits at most',
  },
  STREAMGATE_INBOX_ACK: {
    schema: value.oneOf('heartbeat', 'client'),
    default: 'heartbeat',
    help: 'What takes an event out: a ping and pong completed on the connection that carried it, or the ack of the client',
  },
} as const satisfies Record<string, Variable>;
