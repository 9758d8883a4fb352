import { join } from 'node:path';
import type { V1Pod } from '@kubernetes/client-node';
import { eventually } from '../../../gateway/test/client.ts';
import { SECRET } from '../../../gateway/test/node.ts';
import { core, isReady } from './cluster.ts';
import { DOMAIN } from './names.ts';
import { Forward, helm, LogWatch, root, run } from './programs.ts';
import { startRedis } from './redis.ts';
import { setting } from './settings.ts';

const CHART = join(root, 'charts/streamgate');
const RELEASE = 'streamgate';
const OWN = 'app.kubernetes.io/name=streamgate,app.kubernetes.io/component=gateway';
const MANAGEMENT_PORT = 9464;
/** For what the cluster does in its own time, in ms; a run of CI shares its machine. */
export const PATIENCE_MS = 240_000;

/** Values of the chart, as in a values file. */
export type Values = Record<string, unknown>;

/** A release of the chart, in a namespace of its own that enforces restricted Pod Security. */
export class Gateway {
  readonly namespace: string;
  readonly host: string;
  /** Through the ingress. */
  readonly url: string;
  private values: Values;

  private constructor(name: string, values: Values) {
    this.namespace = `e2e-${name}`;
    this.host = `${this.namespace}.${DOMAIN}`;
    this.url = `http://${this.host}`;
    this.values = merged(
      {
        image: { registry: '', ...imageOf(setting('E2E_IMAGE')), pullPolicy: 'IfNotPresent' },
        jwt: { secret: SECRET },
        // Pods, ingress, builds and clients may share two cores: what waits for its turn is not away.
        redis: { url: 'redis://redis:6379', timeoutMs: Number(setting('E2E_REDIS_TIMEOUT_MS')) },
        ingress: { host: this.host, className: setting('E2E_INGRESS_CLASS') },
        autoscaling: { enabled: false },
        replicaCount: 3,
        drain: { seconds: 10 },
        limits: { maxSessions: 2000 },
        // All of them on one node.
        resources: { requests: { cpu: '20m', memory: '96Mi' }, limits: { memory: '512Mi' } },
      },
      values,
    );
  }

  /** The namespace, empty: what an earlier run has left is removed before. */
  static async claim(name: string, values: Values = {}): Promise<Gateway> {
    const gateway = new Gateway(name, values);
    const { namespace } = gateway;
    await run('kubectl', ['delete', 'namespace', namespace, '--ignore-not-found']);
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    await core.createNamespace({ body: { metadata: { name: namespace, labels } } });
    return gateway;
  }

  /** As `claim`, with the Redis that releases use unless their values say otherwise. */
  static async prepare(name: string, values: Values = {}): Promise<Gateway> {
    const gateway = await Gateway.claim(name, values);
    await startRedis(gateway.namespace);
    return gateway;
  }

  /** As `prepare`, and installed. */
  static async install(name: string, values: Values = {}): Promise<Gateway> {
    const gateway = await Gateway.prepare(name, values);
    await gateway.upgrade();
    await gateway.answers();
    return gateway;
  }

  /** What signs tokens. */
  get secret(): string {
    return (this.values['jwt'] as { secret: string }).secret;
  }

  /**
   * `helm upgrade --install --wait` with these values besides those before.
   * @throws Error with what helm says; these values are forgotten then
   */
  async upgrade(values: Values = {}, major: 3 | 4 = 4, timeout = '240s'): Promise<void> {
    const all = merged(this.values, values);
    const args = ['upgrade', '--install', RELEASE, CHART, '--wait', '--timeout', timeout];
    await helm(
      major,
      ['--namespace', this.namespace, ...args, '--values', '-'],
      JSON.stringify(all),
    );
    this.values = all;
  }

  /** Helm in the namespace of the release: `helm(4, 'test', 'streamgate')`. */
  helm(major: 3 | 4, ...args: string[]): Promise<string> {
    return helm(major, ['--namespace', this.namespace, ...args]);
  }

  /** The release's own pods that are not about to end, ready or not. */
  async pods(): Promise<V1Pod[]> {
    return (await this.allPods()).filter(({ metadata }) => !metadata?.deletionTimestamp);
  }

  /** With those that drain. */
  async allPods(): Promise<V1Pod[]> {
    const { items } = await core.listNamespacedPod({
      namespace: this.namespace,
      labelSelector: OWN,
    });
    return items;
  }

  /** Waits until exactly so many pods are ready, and no others are there, not even draining ones. */
  async settled(count: number): Promise<string[]> {
    const pods = await eventually(
      async () => (await this.allPods()).map((pod) => ({ name: nameOf(pod), ready: isReady(pod) })),
      (all) => all.length === count && all.every(({ ready }) => ready),
      PATIENCE_MS,
    );
    return pods.map(({ name }) => name).sort();
  }

  /** Waits until the ingress leads to every pod that is ready: it follows a moment behind. */
  async answers(): Promise<void> {
    await eventually(
      async () => {
        const ready = (await this.pods()).filter(isReady).length;
        const seats = new Set<string>();
        // Without a cookie each goes to another pod, which the cookie that comes back names.
        for (let nth = 0; nth < 3 * ready; nth++) {
          const answer = await fetch(`${this.url}/openapi.json`);
          await answer.arrayBuffer();
          if (answer.status === 200) seats.add(answer.headers.get('set-cookie') ?? '');
        }
        return { ready, reached: seats.size };
      },
      ({ ready, reached }) => ready > 0 && reached === ready,
      PATIENCE_MS,
    );
  }

  /** Sessions on each pod that is ready, as its metrics say. */
  async sessions(): Promise<Map<string, number>> {
    const ready = (await this.pods()).filter(isReady).map(nameOf);
    const counts = ready.map(
      async (pod) => [pod, await this.metric(pod, 'streamgate_sessions')] as const,
    );
    return new Map(await Promise.all(counts));
  }

  /** `POST` to the management port of a pod, as an operator does. */
  async admin(pod: string, path: string, body: object): Promise<unknown> {
    const forward = await Forward.open(this.namespace, `pod/${pod}`, MANAGEMENT_PORT);
    try {
      const method = 'POST';
      const answer = await fetch(`http://${forward.address}/admin/${path}`, {
        method,
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(`${path} answers ${answer.status}: ${await answer.text()}`);
      return await answer.json();
    } finally {
      forward.close();
    }
  }

  /** What its pods have written so far. */
  log(): Promise<string> {
    const select = ['-l', OWN, '--tail=-1', '--prefix', '--max-log-requests=50'];
    return run('kubectl', ['-n', this.namespace, 'logs', ...select]);
  }

  /** The same, and what they write until they end. */
  watchLog(): LogWatch {
    return new LogWatch(this.namespace, OWN);
  }

  /** Uninstalls without waiting for it, unless somebody wants to look. */
  async remove(): Promise<void> {
    if (setting('E2E_KEEP')) return;
    await run('kubectl', ['delete', 'namespace', this.namespace, '--wait=false']);
  }

  /** The sum of a metric's series on a pod. */
  private async metric(pod: string, name: string): Promise<number> {
    const path = `/api/v1/namespaces/${this.namespace}/pods/${pod}:${MANAGEMENT_PORT}/proxy/metrics`;
    const text = await run('kubectl', ['get', '--raw', path]);
    const series = text.split('\n').filter((line) => /^\w+/.exec(line)?.[0] === name);
    return series.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }
}

export function nameOf(pod: V1Pod): string {
  return pod.metadata?.name ?? '';
}

function imageOf(name: string): { repository: string; tag: string } {
  const colon = name.lastIndexOf(':');
  if (colon <= name.lastIndexOf('/')) throw new Error(`E2E_IMAGE ${name} has no tag`);
  return { repository: name.slice(0, colon), tag: name.slice(colon + 1) };
}

function merged(under: Values, over: Values): Values {
  const all = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const before = all[key];
    all[key] = isMap(before) && isMap(value) ? merged(before, value) : value;
  }
  return all;
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
