import { type Alert, RELEASE, node } from './alert.ts';

/** What others do to nodes: Redis, services, issuers of tokens, the database. */
export const surroundingAlerts: readonly Alert[] = [
  {
    name: 'StreamgateBackplaneDegraded',
    severity: 'page',
    expr: `min by (${RELEASE}, instance) (streamgate_backplane_up) == 0`,
    for: '1m',
    summary: 'Node {{ $labels.instance }} cannot reach Redis',
    runbook: {
      meaning: 'A node has no Redis, or one that answers later than `STREAMGATE_REDIS_TIMEOUT_MS`.',
      impact:
        'Sessions stay and new ones are admitted. What clients say reaches only the sessions of their own node (`{scope: "local"}`), commands of services wait in the stream or are refused with `backplane_unavailable`, lists of who is online answer 503. All resumes by itself.',
      checks: [
        {
          run: 'streamgate_backplane_up',
          says: '0 on all nodes: Redis or its network. On one: that node’s network.',
        },
        {
          run: 'sum by (connection, kind) (rate(streamgate_redis_faults_total[5m]))',
          says: '`timeout`: Redis is there and slow. `unavailable`: it is gone.',
        },
        {
          run: 'redis-cli -u "$STREAMGATE_REDIS_URL" --latency-history -i 1',
          says: 'Its round trip from where you are.',
        },
        {
          run: 'redis-cli -u "$STREAMGATE_REDIS_URL" INFO persistence',
          says: '`loading:1`: it reads its file after a restart.',
        },
      ],
      fix: [
        'Bring Redis back. Nodes need nothing: do not restart them, that would move every client.',
      ],
      escalation: 'Whoever runs Redis, at once.',
    },
    proof: {
      fires: [{ series: `streamgate_backplane_up${node('a')}`, values: '1 0x30' }],
      silent: [{ series: `streamgate_backplane_up${node('a')}`, values: '1 0 1x30' }],
      at: '5m',
    },
  },
  {
    name: 'StreamgateLagGrowing',
    severity: 'page',
    expr: `max by (${RELEASE}, partition) (streamgate_stream_lag_seconds) > 10 and max by (${RELEASE}, partition) (deriv(streamgate_stream_lag_seconds[5m])) > 0`,
    for: '5m',
    summary:
      'The oldest command of partition {{ $labels.partition }} has waited {{ $value | humanizeDuration }}, and longer every minute',
    runbook: {
      meaning:
        'Services write commands faster than the node that holds the partition executes them, or it stands still.',
      impact:
        'Everything that services send arrives late, and later every minute. Nothing is lost: unexecuted entries are never trimmed.',
      checks: [
        {
          run: 'streamgate lag',
          says: 'Entries and seconds of every partition, also while no node is up.',
        },
        {
          run: 'sum by (outcome) (rate(streamgate_commands_total{door="stream"}[5m]))',
          says: 'Nothing executed: it stands still, and the log says `a partition stands still` or `begins anew`, with why.',
        },
        {
          run: 'max by (instance) (rate(streamgate_event_loop_seconds_total{state="active"}[5m]))',
          says: 'Near 1: the executing node is at its limit.',
        },
      ],
      fix: [
        'More partitions: raise `STREAMGATE_STREAM_PARTITIONS`; order holds within a key.',
        'One writer floods: slow it down, or give what may be late a `ttl`.',
        'It stands still: restart the node that holds it; another takes over within seconds.',
      ],
      escalation: 'The owners of the service that writes most, then the developers of the gateway.',
    },
    proof: {
      fires: [
        { series: `streamgate_stream_lag_seconds${node('a', 'partition="0"')}`, values: '0+20x60' },
      ],
      silent: [
        {
          series: `streamgate_stream_lag_seconds${node('a', 'partition="0"')}`,
          values: '0+1x10 10-1x10 0x40',
        },
      ],
      at: '20m',
    },
  },
  {
    name: 'StreamgateNoLeaseHolder',
    severity: 'page',
    expr: `(max by (${RELEASE}, partition) (streamgate_stream_lag_seconds offset 10m) unless max by (${RELEASE}, partition) (streamgate_stream_lag_seconds)) and on (${RELEASE}) sum by (${RELEASE}) (streamgate_build_info)`,
    for: '2m',
    summary: 'Nobody executes partition {{ $labels.partition }} of the command stream',
    runbook: {
      meaning:
        'A partition that a node executed ten minutes ago is executed by none, although nodes are up.',
      impact: 'Commands of its keys wait. Nothing is lost.',
      checks: [
        { run: 'sum by (instance) (streamgate_stream_partitions)', says: 'Who executes how many.' },
        {
          run: 'redis-cli -u "$STREAMGATE_REDIS_URL" GET streamgate:emit:partitions',
          says: 'How many there are: fewer than before is no fault, old ones are read until they are empty.',
        },
        {
          run: 'kubectl logs -l app.kubernetes.io/name=streamgate | grep partition',
          says: '`the lease of a partition was lost`, and why it is not taken again.',
        },
      ],
      fix: [
        'Redis away: see StreamgateBackplaneDegraded.',
        'Else restart one node: every node takes its share when it comes.',
      ],
      escalation: 'The developers of the gateway.',
    },
    proof: {
      fires: [
        {
          series: `streamgate_stream_lag_seconds${node('a', 'partition="1"')}`,
          values: '0x10 stale',
        },
        { series: `streamgate_build_info${node('a', 'version="1"')}`, values: '1x60' },
      ],
      silent: [
        {
          series: `streamgate_stream_lag_seconds${node('a', 'partition="1"')}`,
          values: '0x10 stale',
        },
        {
          series: `streamgate_stream_lag_seconds${node('b', 'partition="1"')}`,
          values: '_x10 0x60',
        },
        { series: `streamgate_build_info${node('b', 'version="1"')}`, values: '1x60' },
      ],
      at: '15m',
    },
  },
  {
    name: 'StreamgateDeadLetters',
    severity: 'ticket',
    expr: ['streamgate_dead_letters_total', 'streamgate_kafka_dead_total']
      .map((metric) => `sum by (${RELEASE}, code) (increase(${metric}[15m])) > 0`)
      .join(' or '),
    summary:
      '{{ $value | humanize }} commands could not be executed in 15 minutes ({{ $labels.code }})',
    runbook: {
      meaning:
        'A service writes what cannot be executed: bad JSON, a misspelt field, a reserved event name, too much.',
      impact: 'Those events reach nobody. Everything else goes on.',
      checks: [
        { run: 'streamgate dead list', says: 'Each with its reason, code, time and `source`.' },
        { run: 'streamgate dead show <id>', says: 'All that the service wrote.' },
      ],
      fix: [
        'Mend the service.',
        'Then `streamgate dead replay <id>`, or `dead drop <id>` for what is worth nothing any more.',
      ],
      escalation: 'The owners of the service that the entry names as `source`.',
    },
    proof: {
      fires: [
        {
          series: `streamgate_dead_letters_total${node('a', 'code="invalid_json"')}`,
          values: '0x10 3x20',
        },
      ],
      silent: [
        {
          series: `streamgate_dead_letters_total${node('a', 'code="invalid_json"')}`,
          values: '3x60',
        },
      ],
      at: '15m',
    },
  },
  {
    name: 'StreamgateJwksFailing',
    severity: 'page',
    expr: `sum by (${RELEASE}) (rate(streamgate_connects_total{outcome="refused",reason="jwks_unavailable"}[5m])) > 0`,
    for: '5m',
    summary:
      '{{ $value | humanize }} connects a second are refused because the signing keys cannot be fetched',
    runbook: {
      meaning:
        'The address of `STREAMGATE_JWT_JWKS_URL` does not answer, and tokens come with keys that are not cached.',
      impact:
        'People whose tokens are signed with a new key cannot connect; they try again by themselves. Who is connected stays.',
      checks: [
        {
          run: 'kubectl exec <pod> -- node -e "fetch(process.env.STREAMGATE_JWT_JWKS_URL).then((answer) => console.log(answer.status))"',
          says: 'Whether the node reaches it.',
        },
        { run: 'kubectl get networkpolicy', says: 'Whether the way out is open.' },
      ],
      fix: ['Bring the issuer back, or open the way to it.'],
      escalation: 'Whoever runs the issuer of tokens, at once.',
    },
    proof: {
      fires: [
        {
          series: `streamgate_connects_total${node('a', 'outcome="refused",reason="jwks_unavailable"')}`,
          values: '0+6x60',
        },
      ],
      silent: [
        {
          series: `streamgate_connects_total${node('a', 'outcome="refused",reason="jwks_unavailable"')}`,
          values: '6x60',
        },
      ],
      at: '15m',
    },
  },
  {
    name: 'StreamgateRedisSettings',
    severity: 'ticket',
    expr: `max by (${RELEASE}) (streamgate_backplane_warnings) > 0`,
    for: '10m',
    summary:
      'Redis has {{ $value }} settings that can lose data: it may evict keys, writes no AOF, or is nearly full',
    runbook: {
      meaning:
        'Redis may throw away what Streamgate keeps in it: its eviction policy is not `noeviction`, its AOF is off, or its memory is near the limit.',
      impact:
        'None yet. An eviction takes mailboxes, inboxes or entries away; a restart without AOF takes all of it.',
      checks: [
        { run: 'curl -s <node>:9464/health/ready', says: 'Which setting, in words.' },
        {
          run: 'redis-cli -u "$STREAMGATE_REDIS_URL" CONFIG GET maxmemory-policy appendonly',
          says: 'Wanted: `noeviction`, `yes`.',
        },
        {
          run: 'redis-cli -u "$STREAMGATE_REDIS_URL" INFO memory',
          says: '`used_memory` against `maxmemory`.',
        },
      ],
      fix: [
        'Set them; give Redis more memory.',
        'What fills it: `redis-cli --bigkeys`; a stream that nobody trims is its writer’s to bound.',
      ],
      escalation: 'Whoever runs Redis.',
    },
    proof: {
      fires: [{ series: `streamgate_backplane_warnings${node('a')}`, values: '1x60' }],
      silent: [{ series: `streamgate_backplane_warnings${node('a')}`, values: '0x60' }],
      at: '15m',
    },
  },
  {
    name: 'StreamgateDatabaseAway',
    severity: 'page',
    expr: `min by (${RELEASE}, instance) (streamgate_database_up) == 0`,
    for: '1m',
    summary: 'Node {{ $labels.instance }} cannot reach the database of chat',
    runbook: {
      meaning: 'PostgreSQL does not answer.',
      impact:
        'Messages of chat are refused at once with `database_unavailable`, which clients may send again. Everything else works.',
      checks: [
        { run: 'psql "$STREAMGATE_DATABASE_URL" -c "select 1"', says: 'Whether it answers you.' },
        {
          run: 'streamgate_database_connections',
          says: '`waiting` above 0 for long: the pool is too small, or statements hang.',
        },
      ],
      fix: ['Bring PostgreSQL back. Nodes resume by themselves.'],
      escalation: 'Whoever runs PostgreSQL, at once.',
    },
    proof: {
      fires: [{ series: `streamgate_database_up${node('a')}`, values: '1 0x30' }],
      silent: [{ series: `streamgate_database_up${node('a')}`, values: '1 0 1x30' }],
      at: '5m',
    },
  },
];
