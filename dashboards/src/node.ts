import { type Board, of, orZero, rate } from './board.ts';
import { connects } from './panels.ts';
import { nodeProcess } from './node-process.ts';

/** One node, or some: its edge, its event loop, its memory, its drain. */
export const nodeBoard: Board = {
  uid: 'streamgate-node',
  title: 'Node',
  description:
    'What a node does: choose one at the top. Its edge, event loop, memory, slow clients, drain.',
  rows: [
    {
      title: 'Now',
      panels: [
        {
          kind: 'stat',
          title: 'Sessions',
          description: 'Connected sockets. At its limit the node refuses further ones with 503.',
          unit: 'short',
          queries: [{ expr: `sum(${of('streamgate_sessions')})`, legend: 'sessions' }],
        },
        {
          kind: 'stat',
          title: 'Version',
          description: 'More than one while a rollout goes on.',
          unit: 'short',
          queries: [
            { expr: `count by (version) (${of('streamgate_build_info')})`, legend: '{{version}}' },
          ],
        },
        {
          kind: 'stat',
          title: 'Configurations',
          description: 'More than one: nodes are configured differently, or a rollout goes on.',
          unit: 'short',
          queries: [
            {
              expr: `count(count by (config_hash) (${of('streamgate_build_info')}))`,
              legend: 'configurations',
            },
          ],
          thresholds: { warn: 2, bad: 3 },
        },
        {
          kind: 'stat',
          title: 'Draining',
          description: 'Nodes that are being emptied.',
          unit: 'short',
          queries: [{ expr: `sum(${of('streamgate_draining')})`, legend: 'draining' }],
          thresholds: { warn: 1, bad: 100 },
          runbook: 'StreamgateDrainStuck',
        },
        {
          kind: 'stat',
          title: 'Event loop',
          description:
            'Share of time that the busiest node works. Above 0.9 everything on it is late.',
          unit: 'percentunit',
          queries: [
            {
              expr: `max(${rate('streamgate_event_loop_seconds_total', 'state="active"')})`,
              legend: 'busy',
            },
          ],
          thresholds: { warn: 0.7, bad: 0.9 },
          runbook: 'StreamgateEventLoopSaturated',
        },
        {
          kind: 'stat',
          title: 'Uptime',
          description: 'Of the node that started last. Short without a rollout: nodes die.',
          unit: 's',
          queries: [
            { expr: `time() - max(${of('process_start_time_seconds')})`, legend: 'uptime' },
          ],
        },
      ],
    },
    {
      title: 'Edge',
      panels: [
        {
          kind: 'timeseries',
          title: 'Sessions by transport',
          description: 'Much polling: a proxy on the way lets no WebSocket through.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (nsp, transport) (${of('streamgate_sessions')})`,
              legend: '{{nsp}} {{transport}}',
            },
          ],
        },
        connects,
        {
          kind: 'timeseries',
          title: 'Handshakes in flight',
          description: 'They wait for keys or for Redis when this grows.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (instance) (${of('streamgate_handshakes_in_flight')})`,
              legend: '{{instance}}',
            },
          ],
          thresholds: { warn: 100, bad: 1000 },
        },
        {
          kind: 'timeseries',
          title: 'Events of clients',
          description: 'By name; other: names that no document has.',
          unit: 'ops',
          queries: [
            { expr: `sum by (event) (${rate('streamgate_events_in_total')})`, legend: '{{event}}' },
          ],
        },
        {
          kind: 'heatmap',
          title: 'Event to answer',
          description: 'How long answers take. What waits for Redis stands apart.',
          unit: 's',
          queries: [
            { expr: `sum by (le) (${rate('streamgate_event_seconds_bucket')})`, legend: '{{le}}' },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Deliveries',
          description: 'Events written to sockets: a large room costs one for each member.',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (instance) (${rate('streamgate_deliveries_total')})`,
              legend: '{{instance}}',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Traffic',
          description: 'Bytes on the public port.',
          unit: 'Bps',
          queries: [
            {
              expr: `sum by (direction) (${rate('streamgate_traffic_bytes_total')})`,
              legend: '{{direction}}',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Ended sessions by reason',
          description:
            'ping timeout and transport close: the network. client namespace disconnect: people leave.',
          unit: 'ops',
          queries: [
            {
              expr: orZero(`sum by (reason) (${rate('streamgate_disconnects_total')})`),
              legend: '{{reason}}',
            },
          ],
        },
        {
          kind: 'heatmap',
          title: 'How long sessions last',
          description:
            'Many short ones: clients are cut off, by a balancer’s idle timeout for example.',
          unit: 's',
          queries: [
            {
              expr: `sum by (le) (${rate('streamgate_session_duration_seconds_bucket')})`,
              legend: '{{le}}',
            },
          ],
        },
      ],
    },
    ...nodeProcess,
  ],
};
