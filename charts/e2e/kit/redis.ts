import { apply, rolledOut } from './cluster.ts';
import { setting } from './settings.ts';

const labels = { app: 'redis' };

/** A Redis that forgets when it ends, as the Service `redis` of the namespace. */
export async function startRedis(namespace: string): Promise<void> {
  await apply(
    namespace,
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'redis' },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 0,
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 1000,
              seccompProfile: { type: 'RuntimeDefault' },
            },
            containers: [
              {
                name: 'redis',
                image: setting('E2E_REDIS_IMAGE'),
                command: [
                  'redis-server',
                  '--bind',
                  '0.0.0.0',
                  '--protected-mode',
                  'no',
                  '--save',
                  '',
                ],
                readinessProbe: { exec: { command: ['redis-cli', 'ping'] }, periodSeconds: 1 },
                resources: { requests: { cpu: '20m', memory: '32Mi' } },
                securityContext: {
                  allowPrivilegeEscalation: false,
                  capabilities: { drop: ['ALL'] },
                },
              },
            ],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'redis' },
      spec: { selector: labels, ports: [{ port: 6379 }] },
    },
  );
  await rolledOut(namespace, 'deployment/redis');
}
