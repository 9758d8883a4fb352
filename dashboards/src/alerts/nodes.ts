import { type Alert, RELEASE, node } from './alert.ts';

/** What nodes suffer from themselves. */
export const nodeAlerts: readonly Alert[] = [
  {
    name: 'StreamgateNodeAway',
    severity: 'ticket',
    expr: 'up{job=~".*streamgate.*"} == 0',
    for: '2m',
    summary: 'Node {{ $labels.instance }} does not answer its scrapes',
    runbook: {
      meaning: 'Prometheus knows of a node and cannot scrape it: it died, hangs, or is cut off.',
      impact:
        'Its clients have come back on other nodes and continued there. With `mailbox` they missed nothing.',
      checks: [
        {
          run: 'kubectl get pods -l app.kubernetes.io/name=streamgate',
          says: 'Whether it restarts, and how often.',
        },
        {
          run: 'kubectl logs --previous <pod>',
          says: 'An `uncaughtException` with its stack, or nothing: killed from outside.',
        },
        {
          run: 'kubectl describe pod <pod>',
          says: '`OOMKilled`: see StreamgateHeapNearLimit. Failed probes: see StreamgateEventLoopSaturated.',
        },
      ],
      fix: [
        'Usually it is replaced by itself. One that hangs is deleted: `kubectl delete pod <pod>`.',
      ],
      escalation: 'The developers of the gateway, when nodes die again and again.',
    },
    proof: {
      fires: [{ series: `up${node('a')}`, values: '1 0x30' }],
      silent: [{ series: `up${node('a')}`, values: '1x30' }],
      at: '10m',
    },
  },
  {
    name: 'StreamgateNodeNearSessionLimit',
    severity: 'ticket',
    expr: `sum by (${RELEASE}, instance) (streamgate_sessions) / on (${RELEASE}, instance) max by (${RELEASE}, instance) (streamgate_sessions_max) > 0.85`,
    for: '10m',
    summary:
      'Node {{ $labels.instance }} holds {{ $value | humanizePercentage }} of the sessions that it admits',
    runbook: {
      meaning: 'A node comes near `STREAMGATE_MAX_SESSIONS`.',
      impact:
        'None yet. When it is full it refuses connects with 503; clients try again and reach others.',
      checks: [
        { run: 'sum by (instance) (streamgate_sessions)', says: 'One node or all?' },
        {
          run: 'sum(streamgate_sessions) / sum(streamgate_sessions_max)',
          says: 'How much room the cluster has.',
        },
      ],
      fix: [
        'All: add nodes.',
        'One: `POST /admin/shed {"percent": 20, "seconds": 60}` on its management port; its clients move to others.',
      ],
      escalation: 'Whoever answers for capacity.',
    },
    proof: {
      fires: [
        {
          series: `streamgate_sessions${node('a', 'nsp="/",transport="websocket"')}`,
          values: '900x60',
        },
        { series: `streamgate_sessions_max${node('a')}`, values: '1000x60' },
      ],
      silent: [
        {
          series: `streamgate_sessions${node('a', 'nsp="/",transport="websocket"')}`,
          values: '800x60',
        },
        { series: `streamgate_sessions_max${node('a')}`, values: '1000x60' },
      ],
      at: '20m',
    },
  },
  {
    name: 'StreamgateEventLoopSaturated',
    severity: 'page',
    expr: `max by (${RELEASE}, instance) (rate(streamgate_event_loop_seconds_total{state="active"}[5m])) > 0.9`,
    for: '5m',
    summary:
      'The event loop of node {{ $labels.instance }} is busy {{ $value | humanizePercentage }} of the time',
    runbook: {
      meaning: 'A node has more to do than one core does.',
      impact:
        'Everything on this node is late: events, answers, heartbeats; in the end its lease runs out and others take over.',
      checks: [
        {
          run: 'topk(5, sum by (event) (rate(streamgate_events_in_total[5m])))',
          says: 'What clients send.',
        },
        {
          run: 'sum by (instance) (rate(streamgate_deliveries_total[5m]))',
          says: 'How much each node writes: a large room costs one write for each member.',
        },
        {
          run: 'sum by (instance) (streamgate_stream_partitions)',
          says: 'Whether it executes more partitions than others.',
        },
        {
          run: 'rate(nodejs_gc_duration_seconds_sum[5m])',
          says: 'Above 0.1: the heap is too small (StreamgateHeapNearLimit).',
        },
      ],
      fix: [
        'Add nodes, then shed this one: `POST /admin/shed {"percent": 30, "seconds": 60}`.',
        'A flood: lower `STREAMGATE_EVENTS_PER_SECOND`.',
      ],
      escalation: 'The developers of the gateway, when the load does not explain it.',
    },
    proof: {
      fires: [
        {
          series: `streamgate_event_loop_seconds_total${node('a', 'state="active"')}`,
          values: '0+58x60',
        },
      ],
      silent: [
        {
          series: `streamgate_event_loop_seconds_total${node('a', 'state="active"')}`,
          values: '0+45x60',
        },
      ],
      at: '20m',
    },
  },
  {
    name: 'StreamgateHeapNearLimit',
    severity: 'page',
    expr: `max by (${RELEASE}, instance) (nodejs_heap_size_used_bytes) / on (${RELEASE}, instance) max by (${RELEASE}, instance) (streamgate_heap_limit_bytes) > 0.85`,
    for: '5m',
    summary: 'Node {{ $labels.instance }} uses {{ $value | humanizePercentage }} of its heap',
    runbook: {
      meaning: 'The heap comes near the limit at which Node.js ends the process.',
      impact:
        'The node slows down (garbage collection), then dies; its clients come back elsewhere and continue there.',
      checks: [
        {
          run: 'nodejs_heap_size_used_bytes / on (instance) sum by (instance) (streamgate_sessions)',
          says: 'Bytes a session: docs/performance.md says what is usual.',
        },
        {
          run: 'sum by (cause) (rate(streamgate_closings_total{cause="slow_consumer"}[5m]))',
          says: 'Slow clients hold up to `STREAMGATE_MAX_BUFFERED_BYTES` each.',
        },
      ],
      fix: [
        'More memory, or a higher `--max-old-space-size-percentage`.',
        'Fewer sessions a node: `STREAMGATE_MAX_SESSIONS`, and more nodes.',
      ],
      escalation: 'The developers of the gateway, when it grows while sessions do not.',
    },
    proof: {
      fires: [
        { series: `nodejs_heap_size_used_bytes${node('a')}`, values: '900x60' },
        { series: `streamgate_heap_limit_bytes${node('a')}`, values: '1000x60' },
      ],
      silent: [
        { series: `nodejs_heap_size_used_bytes${node('a')}`, values: '700x60' },
        { series: `streamgate_heap_limit_bytes${node('a')}`, values: '1000x60' },
      ],
      at: '15m',
    },
  },
  {
    name: 'StreamgateReconnectStorm',
    severity: 'ticket',
    expr: `sum by (${RELEASE}) (rate(streamgate_connects_total{outcome=~"accepted|recovered"}[5m])) > 0.02 * sum by (${RELEASE}) (streamgate_sessions) and sum by (${RELEASE}) (streamgate_sessions) > 100`,
    for: '5m',
    summary:
      'People of {{ $labels.job }} reconnect {{ $value | humanize }} times a second, over 2 % of all sessions',
    runbook: {
      meaning: 'Sessions come again and again: more than one in fifty each second, for minutes.',
      impact: 'People see short interruptions; nodes and Redis work more than they would have to.',
      checks: [
        {
          run: 'sum by (reason) (rate(streamgate_disconnects_total[5m]))',
          says: '`ping timeout` and `transport close`: the network or a balancer. `server namespace disconnect`: a service, or a limit.',
        },
        {
          run: 'sum by (cause) (rate(streamgate_closings_total[5m]))',
          says: 'Whether the gateway itself ends them, and why.',
        },
        {
          run: 'sum(rate(streamgate_connects_total{outcome="recovered"}[5m])) / sum(rate(streamgate_connects_total{outcome!="refused"}[5m]))',
          says: 'Near 1: everyone continues where it was.',
        },
      ],
      fix: [
        'The idle timeout of a balancer or ingress must be above `STREAMGATE_PING_INTERVAL_MS` + `STREAMGATE_PING_TIMEOUT_MS`.',
        'A client that reconnects in a loop: find it by `disconnect` lines of one user in the log.',
      ],
      escalation: 'Whoever runs the ingress and the network.',
    },
    proof: {
      fires: [
        {
          series: `streamgate_connects_total${node('a', 'outcome="recovered",reason=""')}`,
          values: '0+6000x60',
        },
        {
          series: `streamgate_sessions${node('a', 'nsp="/",transport="websocket"')}`,
          values: '1000x60',
        },
      ],
      silent: [
        {
          series: `streamgate_connects_total${node('a', 'outcome="recovered",reason=""')}`,
          values: '0+600x60',
        },
        {
          series: `streamgate_sessions${node('a', 'nsp="/",transport="websocket"')}`,
          values: '1000x60',
        },
      ],
      at: '20m',
    },
  },
  {
    name: 'StreamgateDrainStuck',
    severity: 'ticket',
    expr: `max by (${RELEASE}, instance) (streamgate_drain_remaining_sessions) > 0 and max by (${RELEASE}, instance) (streamgate_drain_remaining_sessions) >= max by (${RELEASE}, instance) (streamgate_drain_remaining_sessions offset 5m) and max by (${RELEASE}, instance) (streamgate_draining) == 1`,
    for: '5m',
    summary:
      'The drain of node {{ $labels.instance }} does not get on: {{ $value }} sessions are left',
    runbook: {
      meaning: 'A node drains, and for minutes no session has left it.',
      impact:
        'Whoever waits for the drain goes on waiting. This takes ten minutes to fire, so it speaks of drains by `POST /admin/drain` and of pods with a longer grace time: a pod with the default grace of the chart, 82 s, is killed before, and its clients move at once.',
      checks: [
        {
          run: 'curl -s localhost:9464/admin/drain',
          says: 'State, what remains, the rate (through a port-forward).',
        },
        {
          run: 'sum by (instance) (rate(streamgate_connects_total{outcome="refused",reason="node_full"}[5m]))',
          says: 'Whether the others have room.',
        },
      ],
      fix: [
        '`POST /admin/drain {"seconds": 1}`, or a second SIGTERM, ends it within about a second.',
      ],
      escalation: 'The developers of the gateway.',
    },
    proof: {
      fires: [
        { series: `streamgate_drain_remaining_sessions${node('a')}`, values: '40x60' },
        { series: `streamgate_draining${node('a')}`, values: '1x60' },
      ],
      silent: [
        { series: `streamgate_drain_remaining_sessions${node('a')}`, values: '40-1x39 0x20' },
        { series: `streamgate_draining${node('a')}`, values: '1x60' },
      ],
      at: '20m',
    },
  },
];
