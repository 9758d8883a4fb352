import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { faults, MINORS, podSecurity } from '../../charts/test/manifests.ts';
import { IMAGE, manifestsOf, type ClusterRun } from '../run/kubernetes.ts';
import { k6Program } from '../run/program.ts';

const folder = join(import.meta.dirname, '../scenarios');
const scenarios = readdirSync(folder)
  .filter((file) => readFileSync(join(folder, file), 'utf8').includes('export const options'))
  .map((file) => file.replace('.ts', ''));

const run = (scenario: string, kind: ClusterRun['kind']): string =>
  manifestsOf({
    ...{ scenario, kind, parallelism: kind === 'job' ? 1 : 4, namespace: 'load', image: IMAGE },
    ...{ url: 'http://streamgate', secret: { name: 'streamgate', key: 'STREAMGATE_JWT_SECRET' } },
    ...{ sessions: 1000, rate: '100', seconds: 60, deliveryMs: 500 },
  });

describe.each(['job', 'testrun'] as const)('a %s', (kind) => {
  it.each(MINORS)('is valid for Kubernetes %s, with every scenario', (minor) => {
    const all = scenarios.map((scenario) => run(scenario, kind)).join('---\n');
    expect(faults(all, minor)).toEqual([]);
  });

  it('mounts all files that its script may import, and runs that script as asked', () => {
    const [lib, files, runs] = parseAllDocuments(run('unicast', kind)).map(
      (document) => document.toJS() as { data: Record<string, string>; spec: unknown },
    );
    expect(Object.keys(lib!.data)).toContain('socket.io.ts');
    expect(Object.keys(files!.data)).toEqual(expect.arrayContaining(['unicast.ts', 'settings.ts']));
    for (const text of Object.values({ ...lib!.data, ...files!.data })) {
      const code = text.replace(/\/\*\*.*?\*\//gs, '');
      for (const [, path] of code.matchAll(/from '(\.[^']*)'/g)) {
        const [, part, file] = /^\.(?:\/|\.\/(lib)\/)([\w.-]+\.ts)$/.exec(path!) ?? [];
        const known = part === 'lib' ? lib!.data : { ...lib!.data, ...files!.data };
        expect(known, path).toHaveProperty([file!]);
      }
    }
    expect(JSON.stringify(runs!.spec)).toContain('/loadtest/scenarios/unicast.ts');
    expect(JSON.stringify(runs!.spec)).toContain('{"name":"DELIVERY_MS","value":"500"}');
    expect(IMAGE).toMatch(/^grafana\/k6:2\.\d+\.\d+$/);
  });
});

it('has a Job that Pod Security admits under the level restricted', () => {
  const { admitted, refused } = podSecurity(run('unicast', 'job'), MINORS.at(-1)!);
  expect(refused).toEqual([]);
  expect(admitted).toHaveLength(1);
});

it.each(['unicast', 'room'])('lets DELIVERY_MS set what %s is judged by', (scenario) => {
  const script = join(folder, `${scenario}.ts`);
  const options = execFileSync(k6Program(), ['inspect', '-e', 'DELIVERY_MS=500', script]);
  expect(JSON.parse(options.toString())).toMatchObject({
    thresholds: { load_delivery: ['p(99)<500'] },
  });
});
