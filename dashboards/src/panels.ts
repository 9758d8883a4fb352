import { type Panel, of, orZero, rate } from './board.ts';

/** What stands on more than one board. */

export const connects: Panel = {
  kind: 'timeseries',
  title: 'Connects',
  description: 'Accepted, continued, refused. Many that continue: people lose their connections.',
  unit: 'ops',
  queries: [
    {
      expr: `sum by (outcome) (${rate('streamgate_connects_total')})`,
      legend: '{{outcome}}',
    },
  ],
  runbook: 'StreamgateReconnectStorm',
};

export const refusedEvents: Panel = {
  kind: 'timeseries',
  title: 'Refused events of clients',
  description:
    'By code. rate_limited: floods. backplane_unavailable: Redis. invalid_payload: a client is wrong.',
  unit: 'ops',
  queries: [
    {
      expr: orZero(`sum by (code) (${rate('streamgate_event_errors_total')})`),
      legend: '{{code}}',
    },
  ],
};

export const deadLetters: Panel = {
  kind: 'timeseries',
  title: 'Dead letters',
  description:
    'By code. streamgate dead list says what and whose; streamgate dead replay brings it back.',
  unit: 'ops',
  queries: [
    {
      expr: orZero(`sum by (code) (${rate('streamgate_dead_letters_total')})`),
      legend: '{{code}}',
    },
  ],
  runbook: 'StreamgateDeadLetters',
};

export const notForwarded: Panel = {
  kind: 'timeseries',
  title: 'Not forwarded',
  description:
    'What clients said that reached their own node only, because Redis was away. Wanted: 0.',
  unit: 'ops',
  queries: [
    {
      expr: `sum by (instance) (${rate('streamgate_not_forwarded_total')})`,
      legend: '{{instance}}',
    },
  ],
  thresholds: { warn: 0.1, bad: 1 },
  runbook: 'StreamgateBackplaneDegraded',
};

export const eventLoop: Panel = {
  kind: 'timeseries',
  title: 'Event loop',
  description: 'Share of time that a node works. Above 0.9 everything on it is late.',
  unit: 'percentunit',
  queries: [
    {
      expr: `max by (instance) (${rate('streamgate_event_loop_seconds_total', 'state="active"')})`,
      legend: '{{instance}}',
    },
  ],
  thresholds: { warn: 0.7, bad: 0.9 },
  runbook: 'StreamgateEventLoopSaturated',
};

export const redisReachable: Panel = {
  kind: 'timeseries',
  title: 'Redis reachable, by node',
  description: '0 on all nodes: Redis. 0 on one: its network.',
  unit: 'short',
  queries: [
    {
      expr: `min by (instance) (${of('streamgate_backplane_up')})`,
      legend: '{{instance}}',
    },
  ],
  thresholds: { warn: 0.5, bad: 0.5, falling: true },
  runbook: 'StreamgateBackplaneDegraded',
};

export const oldestCommand: Panel = {
  kind: 'timeseries',
  title: 'Oldest waiting command',
  description: 'By partition. It grows: services write faster than we execute.',
  unit: 's',
  queries: [
    {
      expr: orZero(`max by (partition) (${of('streamgate_stream_lag_seconds')})`),
      legend: 'partition {{partition}}',
    },
  ],
  thresholds: { warn: 1, bad: 10 },
  runbook: 'StreamgateLagGrowing',
};
