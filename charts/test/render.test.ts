import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { CASES, type Wanted, render as renderAnew } from './helm.ts';
import { MINORS, faults, podSecurity } from './manifests.ts';
import { chart, run } from './program.ts';

const names = Object.keys(CASES);
const wanted = (name: string, minor = 'v1.34'): Wanted => ({
  files: [CASES[name]!],
  apis: ['monitoring.coreos.com/v1'],
  minor,
});

const rendered = new Map<string, string>();
function render(one: Wanted): string {
  const key = JSON.stringify(one);
  const text = rendered.get(key) ?? renderAnew(one);
  rendered.set(key, text);
  return text;
}

/** Helm 4 keeps the empty lines at the end of a template and Helm 3 does not: the text alone would differ. */
const objects = (manifests: string) =>
  parseAllDocuments(manifests).map((document) => (document as { toJS(): Manifest }).toJS());

interface Manifest {
  kind: string;
}

/** Paths of what is null, or a float, anywhere in what is rendered. */
function suspects(value: unknown, path = ''): string[] {
  if (value === null || (typeof value === 'number' && !Number.isSafeInteger(value))) return [path];
  if (typeof value === 'string') return /\de\+\d|<no value>|<nil>/.test(value) ? [path] : [];
  if (typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, one]) => suspects(one, `${path}/${key}`));
}

describe.each(names)('the values %s', (name) => {
  test.each(MINORS)('make manifests that Kubernetes %s accepts', (minor) => {
    const manifests = render(wanted(name, minor));
    expect(manifests).toContain('kind: ');
    expect(faults(manifests, minor)).toEqual([]);
  });

  test('make pods that the level "restricted" admits', () => {
    const manifests = render(wanted(name));
    for (const minor of MINORS) {
      const { admitted, refused } = podSecurity(manifests, minor);
      expect(refused, minor).toEqual([]);
      expect(admitted).toContain(`Deployment/${deployment(manifests)} admitted`);
    }
  });

  test('make the same with Helm 3 and Helm 4', () => {
    const three = render({ ...wanted(name), program: 'helm3' });
    expect(objects(three)).toEqual(objects(render(wanted(name))));
  });

  test('leave nothing null, and print numbers in full', () => {
    for (const object of objects(render(wanted(name)))) {
      expect(suspects(object), object.kind).toEqual([]);
    }
  });

  test('pass the strict linter', () => {
    const { status, text, complaint } = run('helm', [
      'lint',
      '--strict',
      chart,
      '--values',
      CASES[name]!,
    ]);
    expect(status, text + complaint).toBe(0);
  });
});

function deployment(manifests: string): string {
  return /^kind: Deployment\nmetadata:\n {2}name: (\S+)$/m.exec(manifests)?.[1] ?? 'none';
}

describe('the checks themselves', () => {
  const manifests = render(wanted('default'));

  test.each([
    ['a misspelt property', 'containerPort: 3000', 'containerPorts: 3000'],
    [
      'a number as text',
      'terminationGracePeriodSeconds: 82',
      'terminationGracePeriodSeconds: "82"',
    ],
    [
      'a boolean as a label',
      'app.kubernetes.io/component: gateway',
      'app.kubernetes.io/component: yes',
    ],
    ['an unknown kind', 'kind: PodDisruptionBudget', 'kind: PodDisruptionBudgets'],
    [
      'a doubled key',
      'enableServiceLinks: false',
      'enableServiceLinks: false\n      enableServiceLinks: true',
    ],
  ])('find %s', (_, right, wrong) => {
    expect(manifests).toContain(right);
    for (const minor of MINORS) {
      expect(faults(manifests.replaceAll(right, wrong), minor), minor).not.toEqual([]);
    }
  });

  test.each([
    ['privilege escalation', 'allowPrivilegeEscalation: false', 'allowPrivilegeEscalation: true'],
    ['root', 'runAsNonRoot: true', 'runAsNonRoot: false'],
    ['a capability kept', '- ALL', '- NET_RAW'],
    ['no seccomp profile', 'type: RuntimeDefault', 'type: Unconfined'],
    ['the host network', 'enableServiceLinks: false', 'hostNetwork: true'],
  ])('refuse %s', (_, right, wrong) => {
    expect(manifests).toContain(right);
    expect(podSecurity(manifests.replaceAll(right, wrong), 'v1.34').refused).toHaveLength(2);
  });

  test('find a float and a null', () => {
    expect(suspects({ a: [1.5], b: { c: null }, d: '1e+06', e: 'fine' })).toEqual([
      '/a/0',
      '/b/c',
      '/d',
    ]);
  });
});
