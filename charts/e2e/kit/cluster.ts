import {
  AppsV1Api,
  AutoscalingV2Api,
  BatchV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  NetworkingV1Api,
  PolicyV1Api,
  type V1Pod,
} from '@kubernetes/client-node';
import { run } from './programs.ts';

const config = new KubeConfig();
config.loadFromDefault();

export const core = config.makeApiClient(CoreV1Api);
export const apps = config.makeApiClient(AppsV1Api);
export const autoscaling = config.makeApiClient(AutoscalingV2Api);
export const batch = config.makeApiClient(BatchV1Api);
export const networking = config.makeApiClient(NetworkingV1Api);
export const policy = config.makeApiClient(PolicyV1Api);
export const custom = config.makeApiClient(CustomObjectsApi);

/** Whether Kubernetes sends it clients. */
export function isReady(pod: V1Pod): boolean {
  return (
    pod.metadata?.deletionTimestamp === undefined &&
    (pod.status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')
  );
}

/** As `kubectl apply`, of objects of any kind. */
export async function apply(namespace: string, ...objects: object[]): Promise<void> {
  const list = { apiVersion: 'v1', kind: 'List', items: objects };
  await run('kubectl', ['-n', namespace, 'apply', '-f', '-'], JSON.stringify(list));
}

/**
 * @param workload `deployment/name`, `statefulset/name`
 * @throws Error when a pod of it is not ready in time
 */
export async function rolledOut(namespace: string, workload: string): Promise<void> {
  await run('kubectl', ['-n', namespace, 'rollout', 'status', workload, '--timeout=240s']);
}

/** What is in the namespace with one of these labels, each with its kind. */
export async function labelled(namespace: string, ...labels: string[]): Promise<string[]> {
  const resources = await run('kubectl', [
    'api-resources',
    '--verbs=list',
    '--namespaced',
    '-oname',
  ]);
  const kinds = resources.split('\n').filter((name) => name && !/^events|metrics\.k8s/.test(name));
  const get = ['-n', namespace, 'get', kinds.join(','), '-o', 'name', '--ignore-not-found'];
  const lists = await Promise.all(labels.map((label) => run('kubectl', [...get, '-l', label])));
  return lists.join('').split('\n').filter(Boolean);
}
