import { IMAGE } from '../../../loadtest/run/kubernetes.ts';

/** What a run of the suite needs to know of the cluster, and nothing more. */
const variables = {
  E2E_IMAGE: {
    default: 'streamgate:e2e',
    help: 'Image of the gateway that the cluster can run: name:tag, built or pushed before',
  },
  E2E_REDIS_IMAGE: { default: 'docker.io/library/redis:7', help: 'Image with redis-server 7' },
  E2E_TRAEFIK_IMAGE: {
    default: 'docker.io/library/traefik:v3.7',
    help: 'Image of Traefik, for a second one that knows IngressRoute (stickiness by source address)',
  },
  E2E_K6_IMAGE: { default: IMAGE, help: 'Image of k6 for the load test in the cluster' },
  E2E_INGRESS_CLASS: { default: 'traefik', help: 'Class of the Traefik that is in the cluster' },
  E2E_INGRESS: {
    default: '127.0.0.1',
    help: 'Address at which that Traefik answers on ports 80 and 443',
  },
  E2E_REDIS_TIMEOUT_MS: {
    default: '3000',
    help: 'redis.timeoutMs of the releases; the default of the chart, 500, is for machines that are not shared',
  },
  E2E_HELM: { default: '', help: 'helm 4; unset: from PATH, else built' },
  E2E_HELM3: { default: '', help: 'helm 3, as helm3; unset: from PATH, else built' },
  E2E_KEEP: { default: '', help: 'Any value: namespaces are left for a look' },
} as const;

type Name = keyof typeof variables;

/** The setting, or its default. */
export function setting(name: Name): string {
  return process.env[name] || variables[name].default;
}

/** The settings for people, a line each. */
export function settingsHelp(): string {
  return Object.entries(variables)
    .map(
      ([name, { default: value, help }]) => `  ${name.padEnd(20)} ${help}${value && ` (${value})`}`,
    )
    .join('\n');
}
