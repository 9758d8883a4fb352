import type { Alert } from './alert.ts';

/** On metrics of others: kube-state-metrics and cert-manager. */
export const foreignAlerts: readonly Alert[] = [
  {
    name: 'StreamgateAutoscalerAtMaximum',
    severity: 'ticket',
    expr: 'kube_horizontalpodautoscaler_status_current_replicas{horizontalpodautoscaler=~".*streamgate.*"} >= on (namespace, horizontalpodautoscaler) kube_horizontalpodautoscaler_spec_max_replicas',
    for: '15m',
    summary:
      '{{ $labels.horizontalpodautoscaler }} has all of its {{ $value }} pods and may want more',
    runbook: {
      meaning: 'The autoscaler has reached `autoscaling.maxReplicas`.',
      impact: 'None yet: the next people fill the nodes that there are.',
      checks: [
        {
          run: 'kubectl describe hpa -l app.kubernetes.io/name=streamgate',
          says: 'What it would want, and by which metric.',
        },
        {
          run: 'sum(streamgate_sessions) / sum(streamgate_sessions_max)',
          says: 'How much room is left.',
        },
      ],
      fix: ['Raise `autoscaling.maxReplicas`, if the cluster has room.'],
      escalation: 'Whoever answers for capacity.',
    },
    proof: {
      fires: [
        {
          series:
            'kube_horizontalpodautoscaler_status_current_replicas{namespace="prod",horizontalpodautoscaler="streamgate"}',
          values: '10x60',
        },
        {
          series:
            'kube_horizontalpodautoscaler_spec_max_replicas{namespace="prod",horizontalpodautoscaler="streamgate"}',
          values: '10x60',
        },
      ],
      silent: [
        {
          series:
            'kube_horizontalpodautoscaler_status_current_replicas{namespace="prod",horizontalpodautoscaler="streamgate"}',
          values: '9x60',
        },
        {
          series:
            'kube_horizontalpodautoscaler_spec_max_replicas{namespace="prod",horizontalpodautoscaler="streamgate"}',
          values: '10x60',
        },
      ],
      at: '20m',
    },
  },
  {
    name: 'StreamgateCertificateExpires',
    severity: 'ticket',
    expr: 'certmanager_certificate_expiration_timestamp_seconds{name=~".*streamgate.*"} - time() < 7 * 86400',
    for: '1h',
    summary: 'The certificate {{ $labels.name }} expires in {{ $value | humanizeDuration }}',
    runbook: {
      meaning: 'A certificate of the ingress was not renewed.',
      impact: 'None yet. When it has expired nobody can connect.',
      checks: [{ run: 'kubectl describe certificate <name>', says: 'Why it is not renewed.' }],
      fix: ['What cert-manager says: usually the challenge does not reach it.'],
      escalation: 'Whoever runs the ingress.',
    },
    proof: {
      fires: [
        {
          series:
            'certmanager_certificate_expiration_timestamp_seconds{namespace="prod",name="streamgate"}',
          values: '86400x180',
        },
      ],
      silent: [
        {
          series:
            'certmanager_certificate_expiration_timestamp_seconds{namespace="prod",name="streamgate"}',
          values: '8640000x180',
        },
      ],
      at: '2h',
    },
  },
];
