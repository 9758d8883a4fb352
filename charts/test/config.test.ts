import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { readConfig } from '../../gateway/dist/config.js';
import { CASES, render } from './helm.ts';

interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: { secretKeyRef?: { name: string; key: string } };
}

interface Manifest {
  kind: string;
  metadata: { name: string };
  data?: Record<string, string>;
  spec: { template: { spec: { containers: { env: EnvVar[] }[] } } };
}

/** What the Secrets of others hold. */
const FOREIGN: Record<string, string> = {
  STREAMGATE_JWT_SECRET: 'a secret of somebody else, which is long enough',
  STREAMGATE_REDIS_URL: 'redis://redis:6379',
  STREAMGATE_DATABASE_URL: 'postgres://user:password@postgres:5432/streamgate',
  STREAMGATE_ADMIN_TOKEN: 'a token of somebody else',
  STREAMGATE_KAFKA_SASL_PASSWORD: 'password',
};

// The flavor of an ingress does not reach the gateway.
const names = Object.keys(CASES).filter((name) => !name.startsWith('flavor-'));

test.each(names)('the gateway starts with what the values %s make', (name) => {
  const objects = parseAllDocuments(render({ files: [CASES[name]!] }))
    .map((document) => (document as { toJS(): Manifest | null }).toJS())
    .filter((object) => object !== null);
  const deployment = objects.find(({ kind }) => kind === 'Deployment')!;
  const named = (wanted: string) =>
    objects.find(
      ({ kind, metadata }) => kind === wanted && metadata.name === deployment.metadata.name,
    )?.data ?? {};

  const env = { ...named('ConfigMap') };
  for (const { name: variable, valueFrom } of deployment.spec.template.spec.containers[0]!.env) {
    const key = valueFrom?.secretKeyRef?.key;
    if (key === undefined) continue;
    const own = named('Secret')[key];
    env[variable] =
      own === undefined ? (FOREIGN[variable] ?? '') : Buffer.from(own, 'base64').toString();
  }
  const config = readConfig(env);
  expect(config.httpPort).toBe(3000);
  expect(config.managementPort).toBe(9464);
});
