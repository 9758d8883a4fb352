import { ApiException } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { core, networking } from '../kit/cluster.ts';
import { evidence } from '../kit/evidence.ts';
import { Gateway } from '../kit/gateway.ts';

const show = evidence(6, 'NetworkPolicy and restricted Pod Security');
let gateway: Gateway;

beforeAll(async () => {
  gateway = await Gateway.install('policies', {
    networkPolicy: { enabled: true },
    doors: { tcp: { enabled: true, from: [{ podSelector: { matchLabels: { app: 'orders' } } }] } },
    replicaCount: 1,
  });
});
afterAll(() => gateway.remove());

test('the cluster takes the policies, for the pods of the release alone', async () => {
  const { items } = await networking.listNamespacedNetworkPolicy({ namespace: gateway.namespace });
  const ports = items.flatMap(({ spec }) =>
    (spec?.ingress ?? []).flatMap((rule) => (rule.ports ?? []).map(({ port }) => String(port))),
  );
  for (const { spec } of items) {
    expect(spec?.podSelector?.matchLabels).toMatchObject({
      'app.kubernetes.io/name': 'streamgate',
    });
    expect(spec?.policyTypes).toEqual(expect.arrayContaining(['Ingress', 'Egress']));
  }
  expect(items.length).toBeGreaterThan(0);
  const names = items.map(({ metadata }) => metadata?.name).join(', ');
  show(
    `${names}: taken, incoming ports ${[...new Set(ports)].join(', ')}; what each allows is tested in charts/streamgate/tests`,
  );
});

test('the pods run where restricted is enforced, others may not', async () => {
  const { namespace } = gateway;
  const { metadata } = await core.readNamespace({ name: namespace });
  expect(metadata?.labels?.['pod-security.kubernetes.io/enforce']).toBe('restricted');
  await gateway.settled(1);
  // The label is in force: a pod as people write it first is refused.
  const body = {
    metadata: { name: 'ordinary' },
    spec: { containers: [{ name: 'ordinary', image: 'any' }] },
  };
  const refusal = await core.createNamespacedPod({ namespace, body, dryRun: 'All' }).then(
    () => 'let in',
    (error: unknown) =>
      error instanceof ApiException ? `${error.code} ${String(error.body)}` : '',
  );
  expect(refusal).toMatch(/^403 .*violates PodSecurity/);
  show(
    'all namespaces of these tests enforce `restricted`: the gateway and its helm test run, an ordinary pod is refused with 403',
  );
});
