import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { root, run } from './program.ts';
import type { Bundle } from './schemas/convert.ts';
import { KUBERNETES } from './schemas/sources.ts';

/** Minor versions of Kubernetes that manifests are checked for, as `v1.34`; the oldest first. */
export const MINORS = KUBERNETES.map((version) => version.replace(/\.\d+$/, ''));

/** kubeconform wants a file for each kind; those here only point into one with all definitions. */
function unpack({ kinds, definitions }: Bundle, folder: string): void {
  writeFileSync(join(folder, 'definitions.json'), JSON.stringify({ definitions }));
  for (const [kind, definition] of Object.entries(kinds)) {
    const file = `${kind.toLowerCase().replaceAll('/', '-')}.json`;
    // `/` and `~` mean something in a JSON pointer.
    const pointer = encodeURIComponent(definition.replaceAll('~', '~0').replaceAll('/', '~1'));
    writeFileSync(
      join(folder, file),
      JSON.stringify({ $ref: `definitions.json#/definitions/${pointer}` }),
    );
  }
}

/**
 * Test files run side by side and share the folder, so it appears whole or not at all, and does not change.
 * @returns where kubeconform finds the schemas
 */
function unpacked(bundle: string): string {
  const source = readFileSync(join(import.meta.dirname, 'schemas', `${bundle}.json`), 'utf8');
  const sum = createHash('sha256').update(source).digest('hex').slice(0, 12);
  const folder = join(root, '.cache/schemas', `${bundle}-${sum}`);
  if (!existsSync(folder)) {
    mkdirSync(join(root, '.cache/schemas'), { recursive: true });
    const own = mkdtempSync(`${folder}.`);
    unpack(JSON.parse(source) as Bundle, own);
    try {
      renameSync(own, folder);
    } catch (error) {
      rmSync(own, { recursive: true });
      // Another one was first.
      if (!existsSync(folder)) throw error;
    }
  }
  return join(
    folder,
    '{{ if ne .Group .ResourceAPIVersion }}{{ .Group }}-{{ end }}{{ .ResourceAPIVersion }}-{{ .ResourceKind }}.json',
  );
}

const locations = new Map<string, string>();
function location(bundle: string): string {
  const known = locations.get(bundle) ?? unpacked(bundle);
  locations.set(bundle, known);
  return known;
}

/**
 * What is wrong with manifests by the schemas of a minor version of Kubernetes and of the custom
 * resources that the chart knows: unknown and doubled properties too. Rules in CEL are not looked at.
 * @returns one line for each fault; a kind without a schema is one
 */
export function faults(manifests: string, minor: string): string[] {
  const schemas = [`kubernetes-${minor}`, 'custom-resources'].flatMap((bundle) => [
    '-schema-location',
    location(bundle),
  ]);
  const { text, complaint } = run(
    'kubeconform',
    ['-strict', '-output', 'json', ...schemas],
    manifests,
  );
  if (complaint !== '') return [complaint];
  const { resources = [] } = JSON.parse(text) as {
    resources?: { kind: string; name: string; msg: string }[];
  };
  return resources.map(({ kind, name, msg }) => `${kind}/${name}: ${msg}`);
}

/**
 * What the admission plugin of Kubernetes says of the pods under the level "restricted".
 * @param minor as `v1.34`
 */
export function podSecurity(
  manifests: string,
  minor: string,
): { admitted: string[]; refused: string[] } {
  const { status, text, complaint } = run('pod-security', [minor], manifests);
  if (status !== 0 && status !== 1) throw new Error(complaint);
  const lines = text.split('\n').filter((line) => line !== '');
  return {
    admitted: lines.filter((line) => line.endsWith(' admitted')),
    refused: lines.filter((line) => line.includes(' refused: ')),
  };
}
