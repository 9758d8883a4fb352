import { eventually } from '../../../gateway/test/client.ts';
import { apply, rolledOut } from './cluster.ts';
import { run } from './programs.ts';
import { setting } from './settings.ts';

const group = 'traefik.io';
/** Kinds that Traefik wants to watch; it does not start without them. */
const kinds = [
  ['ingressroutes', 'IngressRoute'],
  ['ingressroutetcps', 'IngressRouteTCP'],
  ['ingressrouteudps', 'IngressRouteUDP'],
  ['middlewares', 'Middleware'],
  ['middlewaretcps', 'MiddlewareTCP'],
  ['serverstransports', 'ServersTransport'],
  ['serverstransporttcps', 'ServersTransportTCP'],
  ['tlsoptions', 'TLSOption'],
  ['tlsstores', 'TLSStore'],
  ['traefikservices', 'TraefikService'],
] as const;

const labels = { app: 'traefik' };
export const TRAEFIK_PORT = 8000;

/** Kinds that the cluster did not have, and that are taken away again. */
let made: string[] = [];

/**
 * A Traefik in the namespace, as the Service `traefik`, that follows the IngressRoutes in it: the one of the cluster
 * may know Ingresses only.
 */
export async function startTraefik(namespace: string): Promise<void> {
  const known = await run('kubectl', ['get', 'crd', '-o', 'name']);
  const missing = kinds.filter(([plural]) => !known.includes(`/${plural}.${group}`));
  made = missing.map(([plural]) => `${plural}.${group}`);
  if (missing.length > 0) {
    await apply(namespace, ...missing.map(definition));
    await run('kubectl', ['wait', '--for=condition=Established', 'crd', ...made]);
    // A kind is established a moment before clients find it.
    await eventually(
      () => run('kubectl', ['api-resources', `--api-group=${group}`, '-o', 'name']),
      (names) => made.every((name) => names.includes(name)),
      60_000,
    );
  }
  await apply(namespace, ...objects(namespace));
  await rolledOut(namespace, 'deployment/traefik');
}

export async function removeKinds(): Promise<void> {
  if (made.length > 0) await run('kubectl', ['delete', 'crd', '--wait=false', ...made]);
}

/** Takes any fields: Traefik itself reads them. */
function definition([plural, kind]: (typeof kinds)[number]): object {
  const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { plural, kind, singular: kind.toLowerCase(), listKind: `${kind}List` },
      scope: 'Namespaced',
      versions: [
        { name: 'v1alpha1', served: true, storage: true, schema: { openAPIV3Schema: schema } },
      ],
    },
  };
}

function objects(namespace: string): object[] {
  const read = ['get', 'list', 'watch'];
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'traefik' } },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'traefik' },
      rules: [
        { apiGroups: [''], resources: ['services', 'secrets', 'configmaps'], verbs: read },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: read },
        { apiGroups: [group], resources: ['*'], verbs: read },
      ],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'traefik' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'traefik' },
      subjects: [{ kind: 'ServiceAccount', name: 'traefik', namespace }],
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'traefik' },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: 'traefik',
            terminationGracePeriodSeconds: 1,
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 1000,
              seccompProfile: { type: 'RuntimeDefault' },
            },
            containers: [
              {
                name: 'traefik',
                image: setting('E2E_TRAEFIK_IMAGE'),
                args: [
                  `--entrypoints.web.address=:${TRAEFIK_PORT}`,
                  '--entrypoints.traefik.address=:8001',
                  '--ping=true',
                  '--providers.kubernetescrd=true',
                  `--providers.kubernetescrd.namespaces=${namespace}`,
                  '--providers.kubernetescrd.disableClusterScopeResources=true',
                  '--global.checknewversion=false',
                  '--global.sendanonymoususage=false',
                ],
                readinessProbe: { httpGet: { path: '/ping', port: 8001 }, periodSeconds: 1 },
                resources: { requests: { cpu: '20m', memory: '64Mi' } },
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
      metadata: { name: 'traefik' },
      spec: { selector: labels, ports: [{ port: TRAEFIK_PORT }] },
    },
  ];
}
