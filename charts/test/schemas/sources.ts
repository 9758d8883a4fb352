/** Where schemas come from: modules of the Go module proxy, which checksums them, at these versions. */
export interface Source {
  module: string;
  /** Of the module; its folder holds the files. */
  version: string;
  files: string[];
  /** Kinds to keep; a custom resource definition holds exactly one, so only needed where a file has several. */
  kinds?: string[];
}

/** The oldest Kubernetes that the chart accepts, the one that the end-to-end tests run on, and a new one. */
export const KUBERNETES = ['v1.31.14', 'v1.34.4', 'v1.36.3'];

/** Kinds of Kubernetes itself that the chart, its recipes and its trial values write. */
export const KINDS = [
  'v1/ConfigMap',
  'v1/Namespace',
  'v1/PersistentVolumeClaim',
  'v1/Pod',
  'v1/Secret',
  'v1/Service',
  'v1/ServiceAccount',
  'apiregistration.k8s.io/v1/APIService',
  'apps/v1/Deployment',
  'apps/v1/StatefulSet',
  'autoscaling/v2/HorizontalPodAutoscaler',
  'batch/v1/CronJob',
  'batch/v1/Job',
  'networking.k8s.io/v1/Ingress',
  'networking.k8s.io/v1/NetworkPolicy',
  'policy/v1/PodDisruptionBudget',
  'rbac.authorization.k8s.io/v1/ClusterRole',
  'rbac.authorization.k8s.io/v1/ClusterRoleBinding',
  'rbac.authorization.k8s.io/v1/Role',
  'rbac.authorization.k8s.io/v1/RoleBinding',
];

const crd = 'config/crd/bases';

export const CUSTOM_RESOURCES: Source[] = [
  {
    module: 'github.com/prometheus-operator/prometheus-operator',
    version: 'v0.93.0',
    files: ['podmonitors', 'prometheusrules', 'servicemonitors'].map(
      (name) => `example/prometheus-operator-crd/monitoring.coreos.com_${name}.yaml`,
    ),
  },
  {
    module: 'github.com/kedacore/keda/v2',
    version: 'v2.21.0',
    files: ['scaledobjects', 'triggerauthentications'].map((name) => `${crd}/keda.sh_${name}.yaml`),
  },
  {
    module: 'sigs.k8s.io/gateway-api',
    version: 'v1.5.1',
    // The experimental channel: session persistence is in no other.
    files: ['gateways', 'httproutes'].map(
      (name) => `config/crd/experimental/gateway.networking.k8s.io_${name}.yaml`,
    ),
  },
  {
    module: 'github.com/grafana/grafana-operator/v5',
    version: 'v5.18.0',
    files: [`${crd}/grafana.integreatly.org_grafanadashboards.yaml`],
  },
  {
    module: 'github.com/traefik/traefik/v3',
    version: 'v3.7.12',
    files: ['docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml'],
    kinds: ['IngressRoute', 'Middleware', 'ServersTransport'],
  },
  {
    module: 'istio.io/api',
    version: 'v1.31.1',
    files: ['kubernetes/customresourcedefinitions.gen.yaml'],
    kinds: ['DestinationRule', 'VirtualService'],
  },
  {
    module: 'github.com/projectcontour/contour',
    version: 'v1.33.8',
    files: ['examples/contour/01-crds.yaml'],
    kinds: ['HTTPProxy'],
  },
  {
    module: 'github.com/envoyproxy/gateway',
    version: 'v1.9.1',
    files: [
      'charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_backendtrafficpolicies.yaml',
    ],
  },
  {
    module: 'github.com/grafana/k6-operator',
    version: 'v0.0.19',
    files: [`${crd}/k6.io_testruns.yaml`],
  },
];

const whole = { type: 'integer', minimum: 0 };
const text = { type: 'string' };

/**
 * Google keeps this one in Go code (k8s.io/ingress-gce v1.30.0, pkg/apis/backendconfig/v1/types.go): by
 * hand, without what is for caches, logins and headers.
 */
export const BACKEND_CONFIG = {
  type: 'object',
  properties: {
    apiVersion: text,
    kind: text,
    metadata: {},
    spec: {
      type: 'object',
      properties: {
        timeoutSec: whole,
        connectionDraining: { type: 'object', properties: { drainingTimeoutSec: whole } },
        sessionAffinity: {
          type: 'object',
          properties: {
            affinityType: { enum: ['CLIENT_IP', 'GENERATED_COOKIE', 'NONE', ''] },
            affinityCookieTtlSec: whole,
          },
        },
        securityPolicy: { type: 'object', properties: { name: text }, required: ['name'] },
        healthCheck: {
          type: 'object',
          properties: {
            checkIntervalSec: whole,
            timeoutSec: whole,
            healthyThreshold: whole,
            unhealthyThreshold: whole,
            type: { enum: ['HTTP', 'HTTPS', 'HTTP2'] },
            port: whole,
            requestPath: text,
          },
        },
        logging: {
          type: 'object',
          properties: { enable: { type: 'boolean' }, sampleRate: { type: 'number' } },
        },
      },
    },
  },
};
