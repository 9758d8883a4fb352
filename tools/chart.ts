/**
 * What is generated of charts/streamgate: boards and rules (a chart takes files from its own folder only),
 * the tables of its README, the part of its schema that names variables of the gateway, and plain manifests.
 */
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { VARIABLES } from '../gateway/dist/config-variables.js';
import { FILES } from '../dashboards/src/files.ts';
import { valueTables } from './chart-readme.ts';

const CHART = 'charts/streamgate';
const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, CHART, path), 'utf8');

/** By path from the root of the repository. */
export const CHART_FILES: Readonly<Record<string, () => string>> = {
  ...Object.fromEntries(
    Object.entries(FILES).flatMap(([path, render]) => {
      if (path.startsWith('dashboards/grafana/'))
        return [[`${CHART}/files/dashboards/${basename(path)}`, render]];
      if (path.startsWith('dashboards/prometheus/'))
        return [[`${CHART}/files/${basename(path)}`, render]];
      return [];
    }),
  ),
  [`${CHART}/README.md`]: () => {
    const tables = `<!-- values -->\n\n${valueTables(read('values.yaml'))}\n\n<!-- /values -->`;
    return replaced(read('README.md'), /<!-- values -->[^]*<!-- \/values -->/, tables);
  },
  [`${CHART}/values.schema.json`]: () => {
    const lines = variablesWithoutValue().map((name) => `        "${name}": ${VARIABLE}`);
    return replaced(
      read('values.schema.json'),
      /(?: +"STREAMGATE_\w+": .*\n)+/,
      `${lines.join(',\n')}\n`,
    );
  },
  'k8s/streamgate.yaml': () => MANIFESTS_HEAD + plainManifests(),
};

const MANIFESTS_HEAD = `# What the chart makes of its defaults, for those who want no Helm; written by \`make generate\`. Write your host name in
# place of gateway.example.com, and make the Secret first:
#
#   kubectl create secret generic streamgate --from-literal=STREAMGATE_JWT_SECRET="$(openssl rand -base64 48)" \\
#     --from-literal=STREAMGATE_REDIS_URL=redis://:password@redis:6379
#   kubectl apply -f k8s/streamgate.yaml
`;

/** What `helm template` prints for the three values that have to be given. */
function plainManifests(): string {
  const values = [
    'jwt.existingSecret=streamgate',
    'redis.existingSecret=streamgate',
    'ingress.host=gateway.example.com',
  ];
  const helm = execFileSync(join(root, 'tools/go-tool'), ['helm'], { encoding: 'utf8' }).trim();
  const args = ['template', 'streamgate', CHART, '--kube-version', '1.34.0', '--skip-tests'];
  return execFileSync(helm, [...args, '--set', values.join(',')], { cwd: root, encoding: 'utf8' });
}

const VARIABLE = '{ "$ref": "#/definitions/variable" }';

/** What `config` may hold: all that is no secret, and that no template sets from a value of its own. */
function variablesWithoutValue(): string[] {
  const templates = globSync('templates/**/*.{yaml,tpl}', { cwd: join(root, CHART) });
  const taken = new Set(templates.flatMap((path) => read(path).match(/STREAMGATE_\w+/g) ?? []));
  return Object.keys(VARIABLES).filter((name) => !taken.has(name));
}

/** @throws Error when there is nothing to replace */
function replaced(text: string, place: RegExp, by: string): string {
  if (!place.test(text)) throw new Error(`nothing matches ${String(place)}`);
  return text.replace(place, () => by);
}
