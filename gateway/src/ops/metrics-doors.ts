import type { ErrorCode } from '@streamgate/protocol/errors';
import { Count, Histogram, PairCount, Reading, Readings, SECONDS } from './metric-kinds.js';

const DOORS = ['http', 'tcp', 'stream', 'kafka'] as const;

/** Why commands go to a dead stream. */
const DEAD: readonly ErrorCode[] = [
  'invalid_payload',
  'reserved_event',
  'unknown_namespace',
  'unknown_action',
  'unknown_field',
  'invalid_json',
  'invalid_to',
  'invalid_ttl',
  'invalid_receipt',
  'durable_needs_users',
  'idempotency_conflict',
  'payload_too_large',
  'chat_disabled',
  'gave_up',
  'internal',
];

/** Of services: commands, streams, inboxes, Kafka. */
export const doorsMetrics = {
  commandBatch: new Histogram(
    'streamgate_command_batch_size',
    'Commands that were executed in one step, by door',
    [1, 2, 5, 10, 25, 50, 100, 250, 1000],
    'door',
    DOORS,
  ),
  commandSeconds: new Histogram(
    'streamgate_command_seconds',
    'How long a step of commands took, from the door to its outcomes',
    SECONDS,
    'door',
    DOORS,
  ),
  commandQueueSeconds: new Histogram(
    'streamgate_command_queue_seconds',
    'From a service having written a command to this node beginning to execute it; by the clocks of Redis or Kafka and of this node',
    SECONDS,
    'door',
    DOORS,
  ),
  commands: new PairCount(
    'streamgate_commands_total',
    'Commands from services by door and outcome: done, duplicate, expired, or the code of the refusal',
    ['door', 'outcome'],
    DOORS.flatMap((door) =>
      ['done', 'duplicate', 'expired'].map((outcome) => [door, outcome] as const),
    ),
  ),
  receiptsLost: new Count(
    'streamgate_receipts_lost_total',
    'Receipts that could not be written, of commands that were executed',
  ),
  inboxKept: new Count('streamgate_inbox_kept_total', 'Events put into inboxes, once for each'),
  inboxEvents: new Readings(
    'streamgate_inbox_events',
    'Events in all inboxes of the cluster, as of the scrape before, the same on every node; what expires with an inbox that nobody looks into counts for up to an hour longer',
  ),
  inboxSent: new Count('streamgate_inbox_sent_total', 'Events sent to sessions out of inboxes'),
  inboxTaken: new Count(
    'streamgate_inbox_taken_total',
    'Events taken out of inboxes because a session has received them',
  ),
  inboxDropped: new Count(
    'streamgate_inbox_dropped_total',
    'Events that went out of full inboxes, the oldest first, or had waited too long',
  ),
  inboxExpired: new Count(
    'streamgate_inbox_expired_total',
    'Events whose `ttl` ended while they lay in an inbox',
  ),
  streamPartitions: new Reading(
    'streamgate_stream_partitions',
    'Partitions of the command stream that this node executes; absent without Redis',
  ),
  streamLagEntries: new Readings(
    'streamgate_stream_lag_entries',
    'Commands that wait in the partitions of this node',
    'partition',
  ),
  streamLagSeconds: new Readings(
    'streamgate_stream_lag_seconds',
    'How long the oldest command of the partitions of this node has waited',
    'partition',
  ),
  streamTakeovers: new Count(
    'streamgate_stream_takeovers_total',
    'Partitions of the command stream that this node began to execute',
  ),
  streamDeleted: new Count(
    'streamgate_stream_deleted_total',
    'Commands that were taken off the stream by others while they were being executed',
  ),
  deadLetters: new Count(
    'streamgate_dead_letters_total',
    'Commands of the stream that could not be executed and went to the dead stream, by code',
    'code',
    DEAD,
  ),
  deadLettersDropped: new Count(
    'streamgate_dead_letters_dropped_total',
    'Dead letters that went out because there were too many, or too large ones',
  ),
  kafkaUp: new Reading(
    'streamgate_kafka_up',
    '1 while this node is a member of the Kafka consumer group; absent without brokers',
  ),
  kafkaLag: new Reading(
    'streamgate_kafka_lag',
    'Messages that wait in the Kafka partitions of this node; absent without brokers',
  ),
  kafkaDead: new Count(
    'streamgate_kafka_dead_total',
    'Kafka messages that could not be executed and went to <topic>.dead, by code',
    'code',
    DEAD,
  ),
  eventsOut: new Count(
    'streamgate_events_out_total',
    'Entries for the outbound stream, by outcome: written, failed',
    'outcome',
    ['written', 'failed'],
  ),
};
