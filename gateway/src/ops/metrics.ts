import { readFileSync } from 'node:fs';
import { CLOSINGS } from '@streamgate/protocol/closings';
import { exposition } from './exposition.js';
import { Count, PairCount, Reading, Readings } from './metric-kinds.js';

const DOORS = ['http', 'tcp', 'stream', 'kafka'] as const;

/** Every metric by what it counts. The only place with their names. */
export const metrics = {
  buildInfo: new Readings(
    'streamgate_build_info',
    'Always 1; the version of this node is its label',
    'version',
  ),
  series: new Reading('streamgate_metric_series', 'Lines of counters and histograms of this node'),
  seriesRefused: new Reading(
    'streamgate_metric_label_sets_refused',
    'Times since the start that something was counted as `other`, because there were too many label values',
  ),
  sessions: new Reading('streamgate_sessions', 'Sessions on this node, in all namespaces'),
  backplaneUp: new Reading(
    'streamgate_backplane_up',
    '1 while other nodes can be reached through the backplane, 0 while Redis is away',
  ),
  backplaneWarnings: new Reading(
    'streamgate_backplane_warnings',
    "Warnings about Redis' settings: eviction policy, AOF, memory near its limit",
  ),
  draining: new Reading('streamgate_draining', '1 while this node is draining or drained'),
  drainRemaining: new Reading(
    'streamgate_drain_remaining_sessions',
    'Sessions that the drain has still to move off; 0 while serving',
  ),
  connects: new Count(
    'streamgate_connects_total',
    'Connects by outcome: accepted, recovered, or the code of the refusal',
    'outcome',
    ['accepted', 'recovered'],
  ),
  disconnects: new Count(
    'streamgate_disconnects_total',
    'Sessions that ended, by reason',
    'reason',
  ),
  eventsIn: new Count('streamgate_events_in_total', 'Events from clients'),
  eventErrors: new Count(
    'streamgate_event_errors_total',
    'Events from clients that were refused, by code',
    'code',
  ),
  closings: new Count(
    'streamgate_closings_total',
    'Sessions that the gateway ended, by cause',
    'cause',
    Object.keys(CLOSINGS),
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
  ),
  eventsOut: new Count(
    'streamgate_events_out_total',
    'Entries for the outbound stream, by outcome: written, failed',
    'outcome',
    ['written', 'failed'],
  ),
  databaseUp: new Reading(
    'streamgate_database_up',
    '1 while the database of chat can be reached; absent while chat is off',
  ),
  databaseConnections: new Readings(
    'streamgate_database_connections',
    'Connections to PostgreSQL by state: busy, idle; and requests that wait for one: waiting',
    'state',
  ),
  databaseQueries: new Count(
    'streamgate_database_queries_total',
    'Requests to the database of chat by outcome: done, unavailable, failed',
    'outcome',
    ['done', 'unavailable', 'failed'],
  ),
  databaseSeconds: new Count(
    'streamgate_database_seconds_total',
    'How long requests to the database of chat took, all together',
  ),
  chatMessages: new Count(
    'streamgate_chat_messages_total',
    'Messages from clients by outcome: sent, duplicate, or the code of the refusal',
    'outcome',
    ['sent', 'duplicate'],
  ),
  contactsUntold: new Count(
    'streamgate_chat_contacts_untold_total',
    'Times that contacts were not told who comes or goes: the database was away, or too many',
  ),
  notForwarded: new Count(
    'streamgate_not_forwarded_total',
    'Client events delivered on this node only, because the backplane was away',
  ),
  announcementsSuppressed: new Count(
    'streamgate_announcements_suppressed_total',
    'Presence announcements not said, because too many users are online',
  ),
  publishes: new Count(
    'streamgate_backplane_publishes_total',
    'Publishes by outcome: done, timeout, unavailable, failed',
    'outcome',
    ['done', 'timeout', 'unavailable', 'failed'],
  ),
  adapterFaults: new Count(
    'streamgate_adapter_faults_total',
    'Rejections of the stock adapters, caught and counted',
  ),
  reconnects: new Count('streamgate_redis_reconnects_total', 'Reconnects to Redis'),
  recoveries: new Count(
    'streamgate_recoveries_total',
    'Attempts to continue a session, by outcome',
    'outcome',
  ),
  swept: new Count(
    'streamgate_sessions_swept_total',
    'Sessions of dead nodes removed by this node',
  ),
};

const { version } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string };

metrics.buildInfo.read(() => [[version, 1]]);
metrics.series.read(() => exposition.series);
metrics.seriesRefused.read(() => exposition.refused);
