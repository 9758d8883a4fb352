/** A rollout moves everyone once: it happens when pods would differ, and never for anything else. */
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { render } from './helm.ts';

interface Manifest {
  kind: string;
  spec: { template: unknown };
}

const given = {
  jwt: { secret: 'a-secret-which-is-long-enough-for-it' },
  redis: { url: 'redis://redis:6379' },
  ingress: { host: 'gateway.example.com' },
};

function pods(values: object): unknown {
  const objects = parseAllDocuments(render({ values })).map((document) =>
    (document as { toJS(): Manifest }).toJS(),
  );
  return objects.find(({ kind }) => kind === 'Deployment')!.spec.template;
}

const before = pods(given);

test.each([
  ['a secret', { jwt: { secret: 'another-secret-which-is-long-enough' } }],
  [
    'a secret before',
    { jwt: { ...given.jwt, previousSecret: 'the-secret-of-before-is-long-enough' } },
  ],
  ['the address of Redis', { redis: { url: 'redis://other:6379' } }],
  ['a limit', { limits: { eventsBurst: 300 } }],
  ['a variable', { config: { STREAMGATE_INBOX_SECONDS: 60 } }],
  ['the image', { image: { tag: '1.2.3' } }],
  // They take the place of the annotations that other Prometheuses go by.
  ['a ServiceMonitor', { serviceMonitor: { enabled: true } }],
  ['a PodMonitor', { podMonitor: { enabled: true } }],
])('%s that changes replaces pods', (_, values) => {
  expect(pods({ ...given, ...values })).not.toEqual(before);
});

test.each([
  ['the number of pods', { autoscaling: { minReplicas: 4, maxReplicas: 20 } }],
  ['who scales', { autoscaling: { enabled: false }, keda: { enabled: true } }],
  ['the ingress', { ingress: { ...given.ingress, flavor: 'nginx', annotations: { a: 'b' } } }],
  ['the Service', { service: { type: 'NodePort', annotations: { a: 'b' } } }],
  ['the policy of the network', { networkPolicy: { enabled: true } }],
  ['the budget', { podDisruptionBudget: { maxUnavailable: 2 } }],
  ['rules and boards', { prometheusRule: { enabled: true }, dashboards: { enabled: true } }],
  [
    'a ServiceMonitor without annotations',
    { serviceMonitor: { enabled: true }, scrapeAnnotations: false },
    { scrapeAnnotations: false },
  ],
  ['the test', { tests: { enabled: false } }],
  ['how a rollout goes', { updateStrategy: { maxSurge: '50%' } }],
  ['an annotation of the Deployment', { deploymentAnnotations: { a: 'b' } }],
])('%s that changes moves nobody', (_, values, others: object = {}) => {
  expect(pods({ ...given, ...values })).toEqual(pods({ ...given, ...others }));
});
