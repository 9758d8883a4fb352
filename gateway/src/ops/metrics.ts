import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';

/** All metrics of this node; a node is a process. */
export const registry = new Registry();
collectDefaultMetrics({ register: registry });

/**
 * A counter that costs a plain addition on the hot path and is copied at scrape. With a label, give
 * only values of a bounded set (codes, reasons): never users, rooms or names from clients.
 */
export class Count {
  private readonly values = new Map<string, number>();

  constructor(name: string, help: string, label?: string) {
    const values = this.values;
    new Counter({
      name,
      help,
      labelNames: label ? [label] : [],
      registers: [registry],
      collect() {
        this.reset();
        if (label) for (const [value, count] of values) this.inc({ [label]: value }, count);
        else this.inc(values.get('') ?? 0);
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

/** A value that is read when Prometheus asks. */
export function observe(name: string, help: string, read: () => number): void {
  registry.removeSingleMetric(name);
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

export const metrics = {
  connects: new Count(
    'streamgate_connects_total',
    'Connects by outcome: accepted, recovered, or the code of the refusal',
    'outcome',
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
  ),
  commands: new Count(
    'streamgate_commands_total',
    'Commands from services by outcome: done, or the code of the refusal',
    'outcome',
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
  swept: new Count('streamgate_sessions_swept_total', 'Sessions of dead nodes removed by this node'),
};
