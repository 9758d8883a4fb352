import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { CASES, render } from './helm.ts';
import { MINORS, faults, podSecurity } from './manifests.ts';
import { root } from './program.ts';

/** Files of `k8s/` for kubectl: neither values of a chart nor the configuration of kind. */
const files = globSync('k8s/**/*.yaml', { cwd: root })
  .filter((file) => !file.endsWith('values.yaml') && !file.startsWith('k8s/kind/'))
  .sort();

test('there are manifests', () => {
  expect(files).toContain('k8s/streamgate.yaml');
  expect(files.length).toBeGreaterThan(2);
});

test.each(files)(
  '%s is accepted by three minors of Kubernetes, its pods by "restricted"',
  (file) => {
    const manifests = readFileSync(join(root, file), 'utf8');
    for (const minor of MINORS) {
      expect(faults(manifests, minor), minor).toEqual([]);
      expect(podSecurity(manifests, minor).refused, minor).toEqual([]);
    }
  },
);

test('the plain manifests have what the chart makes of its defaults, but for its test', () => {
  const names = (text: string) =>
    parseAllDocuments(text).map((document) => {
      const { kind, metadata } = (document as { toJS(): Manifest }).toJS();
      return `${kind}/${metadata.name}`;
    });
  const plain = readFileSync(join(root, 'k8s/streamgate.yaml'), 'utf8');
  const rendered = render({ files: [CASES.default!] });
  expect(names(plain)).toEqual(names(rendered).filter((name) => name !== 'Pod/streamgate-test'));
});

test.each(['k8s/redis/redis.yaml', 'charts/streamgate/values-dev.yaml'])(
  '%s has no shell that stays before its program and keeps signals to itself',
  (file) => {
    expect(readFileSync(join(root, file), 'utf8')).not.toMatch(/\| *exec /);
  },
);

interface Manifest {
  kind: string;
  metadata: { name: string };
}

test.each(globSync('k8s/ingress/*values.yaml', { cwd: root }))(
  '%s are values of the chart',
  (file) => {
    const manifests = render({ files: [CASES.default!, join(root, file)] });
    for (const minor of MINORS) expect(faults(manifests, minor), minor).toEqual([]);
  },
);
