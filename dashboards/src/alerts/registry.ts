import { type Alert, RELEASE, node } from './alert.ts';

/** What Redis has of sessions and is not so. */
export const registryAlerts: readonly Alert[] = [
  {
    name: 'StreamgateGhosts',
    severity: 'ticket',
    expr: `sum by (${RELEASE}) (increase(streamgate_registry_repairs_total{kind="ghost"}[15m])) > 50`,
    summary:
      '{{ $value | humanize }} sessions stood in the registry that were not there, in 15 minutes',
    runbook: {
      meaning:
        'Nodes found entries of their own in the registry without a session, and took them out. A few after an outage of Redis are usual.',
      impact: 'People were shown as online who were gone, for up to a minute.',
      checks: [
        {
          run: 'sum by (instance, kind) (increase(streamgate_registry_repairs_total[1h]))',
          says: 'Which node, and since when.',
        },
        {
          run: 'changes(streamgate_backplane_up[1h])',
          says: 'Whether Redis was away meanwhile, which explains it.',
        },
        {
          run: 'sum(increase(streamgate_sessions_swept_total[1h]))',
          says: 'Sessions of dead nodes, which others swept.',
        },
      ],
      fix: ['Nothing, when Redis was away.', 'Else look in the log for `cannot unregister`.'],
      escalation: 'The developers of the gateway, when Redis was there all the time.',
    },
    proof: {
      fires: [
        {
          series: `streamgate_registry_repairs_total${node('a', 'kind="ghost"')}`,
          values: '0+10x60',
        },
      ],
      silent: [
        {
          series: `streamgate_registry_repairs_total${node('a', 'kind="ghost"')}`,
          values: '0+1x60',
        },
      ],
      at: '20m',
    },
  },
];
