import { type Board, of, orZero, rate } from './board.ts';
import { notForwarded, redisReachable } from './panels.ts';

/** Redis as the nodes see it, and what goes over it between them. */
export const redis: Board = {
  uid: 'streamgate-redis',
  title: 'Redis and backplane',
  description:
    'Redis as the nodes see it, what goes between nodes over it, and who is registered there.',
  rows: [
    {
      title: 'Redis',
      panels: [
        {
          kind: 'stat',
          title: 'Nodes with Redis',
          description: 'Fewer than nodes: some are cut off.',
          unit: 'short',
          queries: [{ expr: `sum(${of('streamgate_backplane_up')})`, legend: 'nodes' }],
          runbook: 'StreamgateBackplaneDegraded',
          width: 6,
        },
        {
          kind: 'stat',
          title: 'Warnings about its settings',
          description: 'Eviction, AOF off, memory near its limit: /health/ready says which.',
          unit: 'short',
          queries: [{ expr: `max(${of('streamgate_backplane_warnings')})`, legend: 'warnings' }],
          thresholds: { warn: 1, bad: 3 },
          runbook: 'StreamgateRedisSettings',
          width: 6,
        },
        {
          kind: 'stat',
          title: 'Reconnects in an hour',
          description: 'More than a few: the network, or Redis restarts.',
          unit: 'short',
          queries: [
            {
              expr: `sum(increase(${of('streamgate_redis_reconnects_total')}[1h]))`,
              legend: 'reconnects',
            },
          ],
          thresholds: { warn: 10, bad: 100 },
          width: 6,
        },
        {
          kind: 'stat',
          title: 'Users online',
          description: 'As the registry has it, in all namespaces.',
          unit: 'short',
          queries: [{ expr: `sum(max by (nsp) (${of('streamgate_users')}))`, legend: 'users' }],
          width: 6,
        },
        redisReachable,
        {
          kind: 'heatmap',
          title: 'Round trips',
          description:
            'From a call to its answer. A second band: something blocks Redis, see SLOWLOG GET.',
          unit: 's',
          queries: [
            {
              expr: `sum by (le) (${rate('streamgate_redis_round_trip_seconds_bucket')})`,
              legend: '{{le}}',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Faults by kind',
          description:
            'timeout: there, and slow. unavailable: gone. failed: it refuses, see the log.',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (connection, kind) (${rate('streamgate_redis_faults_total')})`,
              legend: '{{connection}} {{kind}}',
            },
          ],
          thresholds: { warn: 0.1, bad: 1 },
          runbook: 'StreamgateBackplaneDegraded',
        },
      ],
    },
    {
      title: 'Between nodes',
      panels: [
        {
          kind: 'timeseries',
          title: 'Published and received',
          description:
            'Events given to the backplane, by outcome; and what came to nodes with sessions for it, once for each node.',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (outcome) (${rate('streamgate_backplane_publishes_total')})`,
              legend: '{{outcome}}',
            },
            { expr: `sum(${rate('streamgate_backplane_received_total')})`, legend: 'received' },
          ],
        },
        {
          kind: 'heatmap',
          title: 'Publishing',
          description: 'How long the backplane takes to accept an event.',
          unit: 's',
          queries: [
            {
              expr: `sum by (le) (${rate('streamgate_backplane_publish_seconds_bucket')})`,
              legend: '{{le}}',
            },
          ],
        },
        notForwarded,
        {
          kind: 'timeseries',
          title: 'Returns of sessions',
          description:
            'recovered: continued, nothing missed. Others start anew: too_old was away too long, unknown is not there any more.',
          unit: 'ops',
          queries: [
            {
              expr: orZero(`sum by (outcome) (${rate('streamgate_recoveries_total')})`),
              legend: '{{outcome}}',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Missed events given back',
          description: 'At their return, to sessions that continued.',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (instance) (${rate('streamgate_recovered_events_total')})`,
              legend: '{{instance}}',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Faults of the adapters',
          description: 'Caught and counted; the log has each. Wanted: 0.',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (instance) (${rate('streamgate_adapter_faults_total')})`,
              legend: '{{instance}}',
            },
          ],
          thresholds: { warn: 0.01, bad: 1 },
        },
      ],
    },
    {
      title: 'Registry',
      panels: [
        {
          kind: 'timeseries',
          title: 'Users online',
          description: 'By namespace, as the registry has it: the same on every node.',
          unit: 'short',
          queries: [{ expr: `max by (nsp) (${of('streamgate_users')})`, legend: '{{nsp}}' }],
        },
        {
          kind: 'timeseries',
          title: 'Repairs',
          description:
            'ghost: an entry without a session. missing: a session without one. A few after an outage are usual.',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (kind) (${rate('streamgate_registry_repairs_total')})`,
              legend: '{{kind}}',
            },
          ],
          runbook: 'StreamgateGhosts',
        },
        {
          kind: 'timeseries',
          title: 'Sessions of dead nodes swept',
          description: 'By the node that swept them.',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (instance) (${rate('streamgate_sessions_swept_total')})`,
              legend: '{{instance}}',
            },
          ],
        },
      ],
    },
  ],
};
