import { type Board, of, orZero, quantile, rate } from './board.ts';
import { refusedEvents, eventLoop } from './panels.ts';

/** Slow clients, the process, and its drain. */
export const nodeProcess: Board['rows'] = [
  {
    title: 'Slow and flooding clients',
    panels: [
      {
        kind: 'timeseries',
        title: 'Slow clients',
        description: 'Ended because they did not read; they come back and continue.',
        unit: 'ops',
        queries: [
          {
            expr: `sum by (instance) (${rate('streamgate_closings_total', 'cause="slow_consumer"')})`,
            legend: '{{instance}}',
          },
        ],
        thresholds: { warn: 0.1, bad: 1 },
      },
      {
        kind: 'timeseries',
        title: 'Floods',
        description: 'Ended because they sent too much for too long; they stay away.',
        unit: 'ops',
        queries: [
          {
            expr: `sum by (instance) (${rate('streamgate_closings_total', 'cause="flood"')})`,
            legend: '{{instance}}',
          },
        ],
        thresholds: { warn: 0.1, bad: 1 },
      },
      refusedEvents,
    ],
  },
  {
    title: 'Process',
    panels: [
      eventLoop,
      {
        kind: 'timeseries',
        title: 'Event loop lag, 99th percentile',
        description:
          'How late timers come. Spikes: one long step, such as a collection of garbage.',
        unit: 's',
        queries: [
          {
            expr: `max by (instance) (${of('nodejs_eventloop_lag_p99_seconds')})`,
            legend: '{{instance}}',
          },
        ],
        thresholds: { warn: 0.05, bad: 0.25 },
      },
      {
        kind: 'timeseries',
        title: 'CPU',
        description: 'Cores used; the event loop alone uses one at most.',
        unit: 'short',
        queries: [
          {
            expr: `sum by (instance) (${rate('process_cpu_seconds_total')})`,
            legend: '{{instance}}',
          },
        ],
      },
      {
        kind: 'timeseries',
        title: 'Heap',
        description: 'Used, and the limit at which the process ends.',
        unit: 'bytes',
        queries: [
          {
            expr: `max by (instance) (${of('nodejs_heap_size_used_bytes')})`,
            legend: '{{instance}} used',
          },
          { expr: `min(${of('streamgate_heap_limit_bytes')})`, legend: 'limit' },
        ],
        runbook: 'StreamgateHeapNearLimit',
      },
      {
        kind: 'timeseries',
        title: 'Memory',
        description: 'Resident: heap, buffers of sockets, code. The pod’s limit must be above.',
        unit: 'bytes',
        queries: [
          {
            expr: `max by (instance) (${of('process_resident_memory_bytes')})`,
            legend: '{{instance}}',
          },
        ],
      },
      {
        kind: 'timeseries',
        title: 'Garbage collection',
        description: 'Share of time. Above 0.1 the heap is too small.',
        unit: 'percentunit',
        queries: [
          {
            expr: `sum by (instance) (${rate('nodejs_gc_duration_seconds_sum')})`,
            legend: '{{instance}}',
          },
        ],
        thresholds: { warn: 0.1, bad: 0.3 },
      },
    ],
  },
  {
    title: 'Drain',
    panels: [
      {
        kind: 'timeseries',
        title: 'Left to move',
        description: 'Sessions of draining nodes: a straight line down.',
        unit: 'short',
        queries: [
          {
            expr: `sum by (instance) (${of('streamgate_drain_remaining_sessions')})`,
            legend: '{{instance}}',
          },
        ],
        runbook: 'StreamgateDrainStuck',
        width: 12,
      },
      {
        kind: 'timeseries',
        title: 'Continued and new sessions',
        description: 'A session that was moved and continued has missed nothing.',
        unit: 'ops',
        queries: [
          {
            expr: orZero(`sum by (outcome) (${rate('streamgate_recoveries_total')})`),
            legend: '{{outcome}}',
          },
        ],
        width: 12,
      },
      {
        kind: 'timeseries',
        title: 'Event to answer, 99th percentile',
        description: 'By namespace. What waits for Redis is slower; see the heatmap above.',
        unit: 's',
        queries: [
          {
            expr: orZero(`${quantile(0.99, 'streamgate_event_seconds', '', 'nsp')} >= 0`),
            legend: '{{nsp}}',
          },
        ],
        width: 24,
      },
    ],
  },
];
