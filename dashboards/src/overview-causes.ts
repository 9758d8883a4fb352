import { type Board, of, orZero, quantile, rate } from './board.ts';
import { eventLoop, redisReachable, oldestCommand } from './panels.ts';

/** Which node, whether it is us or Redis, and what comes. */
export const overviewCauses: Board['rows'] = [
  {
    title: 'Which node?',
    panels: [
      {
        kind: 'timeseries',
        title: 'Sessions by node',
        description: 'Uneven after a rollout: POST /admin/shed on the full ones.',
        unit: 'short',
        queries: [
          { expr: `sum by (instance) (${of('streamgate_sessions')})`, legend: '{{instance}}' },
        ],
        runbook: 'StreamgateNodeNearSessionLimit',
      },
      eventLoop,
      {
        kind: 'timeseries',
        title: 'Delivery, 99th percentile by node',
        description:
          'From its writing to the sockets. One node alone: look at it. All: Redis, or the door.',
        unit: 's',
        queries: [
          {
            expr: orZero(`${quantile(0.99, 'streamgate_delivery_seconds', '', 'instance')} >= 0`),
            legend: '{{instance}}',
          },
        ],
        thresholds: { warn: 0.1, bad: 0.25 },
        runbook: 'StreamgateDeliveryBudgetBurn',
      },
    ],
  },
  {
    title: 'Is it us or Redis?',
    panels: [
      redisReachable,
      {
        kind: 'timeseries',
        title: 'Redis round trip, 99th percentile',
        description:
          'Slow while the event loops are idle: it is Redis or the network. Slow with busy loops: it is us.',
        unit: 's',
        queries: [
          {
            expr: orZero(
              `${quantile(0.99, 'streamgate_redis_round_trip_seconds', '', 'connection')} >= 0`,
            ),
            legend: '{{connection}}',
          },
        ],
        thresholds: { warn: 0.01, bad: 0.1 },
      },
      {
        kind: 'timeseries',
        title: 'Faults of Redis calls',
        description:
          'timeout: there, and slow. unavailable: gone. failed: it refuses, see the log.',
        unit: 'ops',
        queries: [
          {
            expr: `sum by (kind) (${rate('streamgate_redis_faults_total')})`,
            legend: '{{kind}}',
          },
        ],
        thresholds: { warn: 0.1, bad: 1 },
        runbook: 'StreamgateBackplaneDegraded',
      },
    ],
  },
  {
    title: 'Will it get worse?',
    panels: [
      oldestCommand,
      {
        kind: 'timeseries',
        title: 'Room for sessions',
        description: 'Share of what each node admits. Above 0.85: add nodes.',
        unit: 'percentunit',
        queries: [
          {
            expr: `sum by (instance) (${of('streamgate_sessions')}) / on (instance) max by (instance) (${of('streamgate_sessions_max')})`,
            legend: '{{instance}}',
          },
        ],
        thresholds: { warn: 0.7, bad: 0.85 },
        runbook: 'StreamgateNodeNearSessionLimit',
      },
      {
        kind: 'timeseries',
        title: 'Heap',
        description: 'Share of the heap’s limit. Above 0.85 a node is about to slow down and die.',
        unit: 'percentunit',
        queries: [
          {
            expr: `max by (instance) (${of('nodejs_heap_size_used_bytes')}) / on (instance) max by (instance) (${of('streamgate_heap_limit_bytes')})`,
            legend: '{{instance}}',
          },
        ],
        thresholds: { warn: 0.7, bad: 0.85 },
        runbook: 'StreamgateHeapNearLimit',
      },
    ],
  },
];
