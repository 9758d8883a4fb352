import { type Alert, RELEASE, type Runbook, type Series, node } from './alert.ts';

/** A promise to users: the share of good events. */
interface Objective {
  readonly id: 'connect' | 'delivery' | 'command';
  readonly title: string;
  /** Of all that count. */
  readonly target: number;
  /** Rates over a window of what went wrong, and of all that counts. */
  readonly bad: (window: string) => string;
  readonly all: (window: string) => string;
  readonly runbook: Runbook;
  /** All that counts, and of that what went wrong, as series of a test: events a minute. */
  readonly sample: (all: number, bad: number) => Series[];
}

/** Refusals for which the gateway is to blame: never bad tokens, floods, or clients that went away. */
const OUR_REFUSALS = 'node_full|handshake_rate|backplane_unavailable|jwks_unavailable|internal';
/** Codes of commands for which their writer is not to blame. */
const OUR_CODES = 'backplane_unavailable|lease_lost|gave_up|internal';
const FAST = 0.25;

const sum = (rate: string) => `sum by (${RELEASE}) (${rate})`;

export const OBJECTIVES: readonly Objective[] = [
  {
    id: 'connect',
    title: 'connects that succeed',
    target: 0.999,
    bad: (window) =>
      sum(
        `rate(streamgate_connects_total{outcome="refused",reason=~"${OUR_REFUSALS}"}[${window}])`,
      ),
    all: (window) =>
      sum(
        `rate(streamgate_connects_total{outcome=~"accepted|recovered"}[${window}]) or rate(streamgate_connects_total{outcome="refused",reason=~"${OUR_REFUSALS}"}[${window}])`,
      ),
    runbook: {
      meaning:
        'Clients are refused for a reason of ours: nodes are full, connects come faster than nodes admit, Redis or the signing keys are away. The error budget of 0.1 % is used up too fast. Bad tokens, floods and clients that went away are not counted.',
      impact:
        'People who open or reopen the page wait: the stock client tries again by itself with growing delays. Who is connected notices nothing.',
      checks: [
        {
          run: 'sum by (reason) (rate(streamgate_connects_total{outcome="refused"}[5m]))',
          says: '`node_full`: too few nodes. `handshake_rate`: a storm of reconnects. `backplane_unavailable`: Redis. `jwks_unavailable`: the issuer of tokens.',
        },
        {
          run: 'sum by (instance) (streamgate_sessions) / on (instance) streamgate_sessions_max',
          says: 'How full each node is; an uneven picture after a rollout is levelled by `POST /admin/shed`.',
        },
      ],
      fix: [
        'Full: add nodes; new connects go to them at once.',
        'Rate: wait for the storm to pass, or add nodes: each admits `STREAMGATE_CONNECTS_PER_SECOND`.',
        'Redis or keys: see StreamgateBackplaneDegraded, StreamgateJwksFailing.',
      ],
      escalation: 'Whoever answers for capacity, when nodes cannot be added.',
    },
    sample: (all, bad) => [
      {
        series: `streamgate_connects_total${node('a', 'outcome="accepted",reason=""')}`,
        values: `0+${all - bad}x10000`,
      },
      {
        series: `streamgate_connects_total${node('a', 'outcome="refused",reason="node_full"')}`,
        values: `0+${bad}x10000`,
      },
      // A flood of bad tokens is nobody's fault of ours.
      {
        series: `streamgate_connects_total${node('a', 'outcome="refused",reason="token_expired"')}`,
        values: `0+${all}x10000`,
      },
    ],
  },
  {
    id: 'delivery',
    title: `events of the stream that are on the sockets within ${FAST * 1000} ms`,
    target: 0.995,
    bad: (window) =>
      `(${sum(`rate(streamgate_delivery_seconds_count{door="stream"}[${window}])`)} - ${sum(`rate(streamgate_delivery_seconds_bucket{door="stream",le="${FAST}"}[${window}])`)})`,
    all: (window) => sum(`rate(streamgate_delivery_seconds_count{door="stream"}[${window}])`),
    runbook: {
      meaning: `Events that services write reach the sockets later than ${FAST * 1000} ms after their XADD, by the clocks of Redis and of the nodes. The error budget of 0.5 % is used up too fast.`,
      impact: 'People see news late. Nothing is lost.',
      checks: [
        {
          run: 'max by (partition) (streamgate_stream_lag_seconds)',
          says: 'Above a second: commands wait to be executed, so the door is behind (StreamgateLagGrowing).',
        },
        {
          run: 'histogram_quantile(0.99, sum by (le, instance) (rate(streamgate_delivery_seconds_bucket{door="stream"}[5m])))',
          says: 'One node alone: look at its event loop. All alike: Redis, or the executing node.',
        },
        {
          run: 'histogram_quantile(0.99, sum by (le) (rate(streamgate_redis_round_trip_seconds_bucket[5m])))',
          says: 'Above 10 ms it is Redis or the network.',
        },
        {
          run: 'chronyc tracking',
          says: 'Durations across machines include the difference of their clocks.',
        },
      ],
      fix: [
        'The door is behind: more partitions (`STREAMGATE_STREAM_PARTITIONS`), so that more nodes execute.',
        'One node: shed it, look at what it is busy with (a hot room, slow clients).',
        'Redis: look for slow commands (`SLOWLOG GET`) and for what else uses it.',
      ],
      escalation: 'Whoever runs Redis, when its round trips are slow.',
    },
    sample: (all, bad) => [
      {
        series: `streamgate_delivery_seconds_count${node('a', 'door="stream"')}`,
        values: `0+${all}x10000`,
      },
      {
        series: `streamgate_delivery_seconds_bucket${node('a', `door="stream",le="${FAST}"`)}`,
        values: `0+${all - bad}x10000`,
      },
    ],
  },
  {
    id: 'command',
    title: 'commands that are executed',
    target: 0.999,
    bad: (window) => sum(`rate(streamgate_commands_total{outcome=~"${OUR_CODES}"}[${window}])`),
    all: (window) => sum(`rate(streamgate_commands_total[${window}])`),
    runbook: {
      meaning:
        'Commands of services fail for a reason of ours. What a service wrote wrongly (a dead letter with a code of its own) is not counted. The error budget of 0.1 % is used up too fast.',
      impact:
        'REST, TCP and Kafka answer with a retryable error, or try again; entries of the stream wait and are tried again.',
      checks: [
        {
          run: `sum by (door, outcome) (rate(streamgate_commands_total{outcome=~"${OUR_CODES}"}[5m]))`,
          says: '`backplane_unavailable`: Redis was away or too slow. `gave_up`: tried too often. `internal`: a fault of ours, with its stack in the log.',
        },
        { run: 'streamgate dead list', says: 'What was given up, and why.' },
      ],
      fix: [
        'Redis: see StreamgateBackplaneDegraded.',
        'Given up: mend the cause, then `streamgate dead replay <id>`.',
        'Internal: roll back the last release, and report the stack.',
      ],
      escalation: 'The developers of the gateway, for `internal`.',
    },
    sample: (all, bad) => [
      {
        series: `streamgate_commands_total${node('a', 'door="stream",outcome="done"')}`,
        values: `0+${all - bad}x10000`,
      },
      {
        series: `streamgate_commands_total${node('a', 'door="stream",outcome="backplane_unavailable"')}`,
        values: `0+${bad}x10000`,
      },
    ],
  },
];

/** Windows whose ratios are recorded. */
export const WINDOWS = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'] as const;
type Window = (typeof WINDOWS)[number];

/** The recorded share of bad events. */
export function errorRatio(id: Objective['id'], window: Window): string {
  return `streamgate:${id}_errors:ratio_rate${window}`;
}

/**
 * Multi-window burn rates (Google's SRE Workbook, "Alerting on SLOs", 6): how many times too fast the
 * budget of 30 days is used up, over a long window, and still over a short one.
 */
const BURNS: readonly {
  readonly factor: number;
  readonly long: Window;
  readonly short: Window;
  readonly severity: Alert['severity'];
}[] = [
  { factor: 14.4, long: '1h', short: '5m', severity: 'page' },
  { factor: 6, long: '6h', short: '30m', severity: 'page' },
  { factor: 3, long: '1d', short: '2h', severity: 'ticket' },
  { factor: 1, long: '3d', short: '6h', severity: 'ticket' },
];

const NAMES = { connect: 'Connect', delivery: 'Delivery', command: 'Command' } as const;

/** One alert for each objective and burn rate; those of an objective share a name and a runbook. */
export const sloAlerts: readonly Alert[] = OBJECTIVES.flatMap((objective) =>
  BURNS.map(({ factor, long, short, severity }): Alert => {
    const { id, title, target, runbook, sample } = objective;
    const limit = `(${factor} * ${Number((1 - target).toFixed(6))})`;
    // Twice the rate that is just too fast, and half of it.
    const rate = (times: number) => sample(100_000, Math.round(100_000 * (1 - target) * times));
    return {
      name: `Streamgate${NAMES[id]}BudgetBurn`,
      severity,
      labels: { window: long },
      expr: `${errorRatio(id, long)} > ${limit} and ${errorRatio(id, short)} > ${limit}`,
      summary: `{{ $value | humanizePercentage }} of ${title} failed over ${long}: the error budget of {{ $labels.job }} is used up ${factor} times too fast`,
      runbook,
      proof: { fires: rate(factor * 2), silent: rate(factor / 2), at: long },
    };
  }),
);
