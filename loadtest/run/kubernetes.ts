import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';

const folder = join(import.meta.dirname, '..');
const PLACE = '/loadtest';

/** The official image of the version that `tools/k6` pins. */
export const IMAGE = `grafana/k6:${/k6\/v2 v(\S+)/.exec(readFileSync(join(folder, '../tools/k6/go.mod'), 'utf8'))?.[1]}`;

/** Scenarios that a cluster can run by itself: those whose faults nobody outside has to make. */
export interface ClusterRun {
  scenario: string;
  /** `job`: one pod. `testrun`: as many as `parallelism`, started together by k6-operator. */
  kind: 'job' | 'testrun';
  parallelism: number;
  /** Of the gateway, as pods see it. */
  url: string;
  /** Where the secret is that signs tokens: a Secret's name, and its key. */
  secret: { name: string; key: string };
  sessions: number;
  /** Events a second. */
  rate: string;
  seconds: number;
  /** Within which 99 % of deliveries have to be. */
  deliveryMs: number;
  image: string;
  namespace: string | undefined;
}

/** What `kubectl apply` takes: the scripts as ConfigMaps, and what runs them once, bounded in time. */
export function manifestsOf(run: ClusterRun): string {
  const objects = [scripts(run, 'lib'), scripts(run, 'scenarios')];
  objects.push(run.kind === 'job' ? job(run) : testRun(run));
  return objects
    .map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }))
    .join('---\n');
}

const nameOf = ({ scenario }: ClusterRun): string => `streamgate-load-${scenario}`;

function metadata({ namespace, scenario }: ClusterRun, name: string): object {
  const labels = {
    'app.kubernetes.io/name': 'streamgate-load',
    'app.kubernetes.io/component': scenario,
  };
  return { name, ...(namespace === undefined ? {} : { namespace }), labels };
}

function scripts(run: ClusterRun, part: 'lib' | 'scenarios'): object {
  const files = readdirSync(join(folder, part)).filter((file) => /(?<!\.d)\.ts$/.test(file));
  const data = Object.fromEntries(
    files.toSorted().map((file) => [file, readFileSync(join(folder, part, file), 'utf8')]),
  );
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: metadata(run, `${nameOf(run)}-${part}`),
    data,
  };
}

/** What pods of both kinds have in common, under the names that both use. */
function pod(run: ClusterRun) {
  const { sessions, parallelism, url, rate, seconds, deliveryMs, secret } = run;
  const settings = {
    LOAD_URLS: url,
    SESSIONS: sessions,
    RATE: rate,
    SECONDS: seconds,
    DELIVERY_MS: deliveryMs,
    VUS: 2 * parallelism,
  };
  // A socket takes about 90 KiB resident; samples and the summary take the rest.
  const mebibytes = 512 + Math.ceil((sessions / parallelism) * 0.2);
  return {
    env: [
      ...Object.entries(settings).map(([name, value]) => ({ name, value: String(value) })),
      { name: 'LOAD_SECRET', valueFrom: { secretKeyRef: secret } },
    ],
    resources: {
      requests: { cpu: '1', memory: `${mebibytes}Mi` },
      limits: { memory: `${mebibytes}Mi` },
    },
    volumeMounts: [
      { name: 'lib', mountPath: `${PLACE}/lib`, readOnly: true },
      { name: 'scenarios', mountPath: `${PLACE}/scenarios`, readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
    ],
    volumes: [
      { name: 'lib', configMap: { name: `${nameOf(run)}-lib` } },
      { name: 'scenarios', configMap: { name: `${nameOf(run)}-scenarios` } },
      { name: 'tmp', emptyDir: {} },
    ],
    podSecurity: {
      runAsNonRoot: true,
      runAsUser: 12345,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containerSecurity: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  };
}

const script = ({ scenario }: ClusterRun): string => `${PLACE}/scenarios/${scenario}.ts`;

/** Longer than the script takes with all its waiting: connecting, load, what is under way. */
function deadline({ sessions, seconds }: ClusterRun): number {
  return Math.ceil(300 + sessions / 50 + seconds);
}

function job(run: ClusterRun): object {
  const { env, resources, volumeMounts, volumes, podSecurity, containerSecurity } = pod(run);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: metadata(run, nameOf(run)),
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: deadline(run),
      ttlSecondsAfterFinished: 86_400,
      template: {
        spec: {
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          securityContext: podSecurity,
          containers: [
            {
              name: 'k6',
              image: run.image,
              args: ['run', '--no-usage-report', '--summary-mode=full', script(run)],
              env,
              resources,
              securityContext: containerSecurity,
              volumeMounts,
            },
          ],
          volumes,
        },
      },
    },
  };
}

function testRun(run: ClusterRun): object {
  const { env, resources, volumeMounts, volumes, podSecurity, containerSecurity } = pod(run);
  const part = {
    image: run.image,
    env,
    volumeMounts,
    volumes,
    automountServiceAccountToken: 'false',
    securityContext: podSecurity,
    containerSecurityContext: containerSecurity,
  };
  return {
    apiVersion: 'k6.io/v1alpha1',
    kind: 'TestRun',
    metadata: metadata(run, nameOf(run)),
    spec: {
      parallelism: run.parallelism,
      // Pods keep their logs, in which the summary of each is.
      script: { localFile: script(run) },
      arguments: '--no-usage-report --summary-mode=full',
      runner: { ...part, resources },
      // It reads the script's options, for which it needs all that the runners have.
      initializer: part,
      starter: {
        automountServiceAccountToken: 'false',
        securityContext: podSecurity,
        containerSecurityContext: containerSecurity,
      },
    },
  };
}
