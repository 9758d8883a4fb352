import { readFileSync } from 'node:fs';
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import { CLOSINGS } from '@streamgate/protocol/closings';

/** All metrics of this node; a node is a process. Process, heap, GC and event loop lag are in it. */
export const registry = new Registry();
collectDefaultMetrics({ register: registry });

/**
 * A counter that costs an addition on the hot path and is copied at scrape. With a label, give only
 * values of a bounded set (codes, reasons): never users, rooms or names from clients.
 */
export class Count {
  private readonly values: Map<string, number>;

  /** @param known label values that are there from the start, so that `increase()` sees the first */
  constructor(name: string, help: string, label?: string, known: readonly string[] = []) {
    const values = new Map((label ? known : ['']).map((value) => [value, 0]));
    this.values = values;
    new Counter({
      name,
      help,
      labelNames: label ? [label] : [],
      registers: [registry],
      collect() {
        this.reset();
        for (const [value, count] of values) this.inc(label ? { [label]: value } : {}, count);
      },
    });
  }

  add(labelValue = '', by = 1): void {
    this.values.set(labelValue, (this.values.get(labelValue) ?? 0) + by);
  }

  /** Current value, for tests and the admin API. */
  value(labelValue = ''): number {
    return this.values.get(labelValue) ?? 0;
  }
}

const DOORS = ['http', 'tcp', 'stream', 'kafka'] as const;

/** As `Count`, of what came through doors. */
export class DoorCount {
  private readonly doors: ReadonlyMap<(typeof DOORS)[number], Map<string, number>>;

  /** @param known outcomes that every door has from the start */
  constructor(name: string, help: string, known: readonly string[]) {
    const outcomes = () => new Map(known.map((outcome) => [outcome, 0]));
    const doors = new Map(DOORS.map((door) => [door, outcomes()]));
    this.doors = doors;
    new Counter({
      name,
      help,
      labelNames: ['door', 'outcome'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [door, counts] of doors)
          for (const [outcome, count] of counts) this.inc({ door, outcome }, count);
      },
    });
  }

  add(door: (typeof DOORS)[number], outcome: string): void {
    const counts = this.doors.get(door)!;
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }

  /** Of all doors, for tests. */
  value(outcome: string): number {
    return [...this.doors.values()].reduce((sum, counts) => sum + (counts.get(outcome) ?? 0), 0);
  }
}

/** A value that is read when Prometheus asks; absent until somebody says where to read it. */
export class Reading {
  private readonly name: string;
  private readonly help: string;

  constructor(name: string, help: string) {
    this.name = name;
    this.help = help;
  }

  /** @param value replaces what was read before */
  read(value: () => number): void {
    registry.removeSingleMetric(this.name);
    new Gauge({
      name: this.name,
      help: this.help,
      registers: [registry],
      collect() {
        this.set(value());
      },
    });
  }
}

/** As `Reading`, several values by a label of a bounded set. */
export class Readings {
  constructor(
    private readonly name: string,
    private readonly help: string,
    private readonly label: string,
  ) {}

  /** @param values label value and value, replaces what was read before */
  read(values: () => Iterable<readonly [string, number]>): void {
    const { name, help, label } = this;
    registry.removeSingleMetric(name);
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [labelValue, value] of values()) this.set({ [label]: labelValue }, value);
      },
    });
  }
}

export const metrics = {
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
  commands: new DoorCount(
    'streamgate_commands_total',
    'Commands from services by door and outcome: done, duplicate, expired, or the code of the refusal',
    ['done', 'duplicate', 'expired'],
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

new Gauge({
  name: 'streamgate_build_info',
  help: 'Always 1; the version of this node is its label',
  labelNames: ['version'],
  registers: [registry],
}).set({ version }, 1);
