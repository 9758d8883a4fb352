/**
 * `npm run schemas` writes the JSON schemas that manifests are validated against, from the OpenAPI
 * of Kubernetes and the custom resource definitions of others: strict (no property that is not
 * named) and without descriptions, one definition a line. It needs Go, and downloads some 200 MB.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { BACKEND_CONFIG, CUSTOM_RESOURCES, KINDS, KUBERNETES, type Source } from './sources.ts';

type Schema = { [key: string]: unknown };
/** A file of schemas: what `apiVersion/kind` is, and what that refers to. */
export interface Bundle {
  kinds: Record<string, string>;
  definitions: Record<string, Schema>;
}

/** Keywords that JSON Schema has too; the rest is for documentation and for the API server. */
const KEPT = new Set([
  ...['additionalProperties', 'allOf', 'anyOf', 'enum', 'exclusiveMaximum', 'exclusiveMinimum'],
  ...['items', 'maxItems', 'maxLength', 'maxProperties', 'maximum', 'minItems', 'minLength'],
  ...['minProperties', 'minimum', 'multipleOf', 'not', 'oneOf', 'pattern', 'properties'],
  ...['required', 'type', 'uniqueItems', '$ref'],
]);
const PREFIX = '#/definitions/';
const NUMBER_OR_TEXT = { anyOf: [{ type: 'integer' }, { type: 'string' }] };

const short = (name: string): string => name.replace(/^io\.k8s\.(api\.)?/, '');

/** @param inside a part of `allOf` and its like, which must not forbid what its neighbours allow */
function strict(schema: Schema, inside = false): Schema {
  if (schema['x-kubernetes-int-or-string'] === true || schema.format === 'int-or-string')
    return NUMBER_OR_TEXT;
  const result: Schema = {};
  for (const [key, value] of Object.entries(schema)) {
    if (!KEPT.has(key)) continue;
    if (key === '$ref') result[key] = PREFIX + short(String(value).slice(PREFIX.length));
    else if (key === 'properties')
      result[key] = mapValues(value as Record<string, Schema>, (one) => strict(one, inside));
    else if (Array.isArray(value) && ['allOf', 'anyOf', 'oneOf'].includes(key))
      result[key] = value.map((one: Schema) => strict(one, true));
    else if (key === 'items' || (key === 'additionalProperties' && typeof value === 'object'))
      result[key] = strict(value as Schema, inside);
    else if (key === 'not') result[key] = strict(value as Schema, true);
    else result[key] = value;
  }
  const open = inside || schema['x-kubernetes-preserve-unknown-fields'] === true;
  if ('properties' in schema && !('additionalProperties' in schema) && !open)
    result.additionalProperties = false;
  return result;
}

function mapValues<A, B>(from: Record<string, A>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, change(value)]));
}

/** @returns the folder of a module in Go's cache, downloaded if needed */
function folder(module: string, version: string): string {
  const answer = execFileSync('go', ['mod', 'download', '-json', `${module}@${version}`], {
    cwd: tmpdir(),
    encoding: 'utf8',
  });
  return (JSON.parse(answer) as { Dir: string }).Dir;
}

/** What a definition refers to, itself included. */
function reach(name: string, definitions: Record<string, Schema>, found = new Set<string>()) {
  if (found.has(name)) return found;
  found.add(name);
  for (const [, other = ''] of JSON.stringify(definitions[name]).matchAll(
    /"#\/definitions\/([^"]+)"/g,
  ))
    reach(other, definitions, found);
  return found;
}

function kubernetes(version: string): Bundle {
  const path = join(folder('k8s.io/kubernetes', version), 'api/openapi-spec/swagger.json');
  const swagger = JSON.parse(readFileSync(path, 'utf8')) as { definitions: Record<string, Schema> };
  const definitions: Record<string, Schema> = {};
  const kinds: Record<string, string> = {};
  for (const [long, schema] of Object.entries(swagger.definitions)) {
    const name = short(long);
    definitions[name] = strict(schema);
    for (const one of (schema['x-kubernetes-group-version-kind'] ?? []) as Schema[]) {
      const kind = [one.group, one.version, one.kind].filter(Boolean).join('/');
      if (KINDS.includes(kind)) kinds[kind] = name;
    }
  }
  for (const kind of KINDS) {
    if (!(kind in kinds)) throw new Error(`Kubernetes ${version} has no ${kind}`);
  }
  // Written as numbers, too: cpu: 1.
  definitions['apimachinery.pkg.api.resource.Quantity'] = { type: ['number', 'string'] };
  const needed = new Set(Object.values(kinds).flatMap((kind) => [...reach(kind, definitions)]));
  return {
    kinds: Object.fromEntries(Object.entries(kinds).sort()),
    definitions: Object.fromEntries([...needed].sort().map((name) => [name, definitions[name]!])),
  };
}

interface Definition {
  kind?: string;
  spec: {
    group: string;
    names: { kind: string };
    versions: { name: string; served: boolean; schema: { openAPIV3Schema: Schema } }[];
  };
}

/** @param metadata the definitions of it, those of Kubernetes: a custom resource leaves it open */
function customResources(sources: Source[], metadata: Record<string, Schema>): Bundle {
  const bundle: Bundle = { kinds: {}, definitions: { ...metadata } };
  const add = (kind: string, schema: Schema) => {
    const whole = strict(schema);
    const required = (whole.required as string[] | undefined) ?? [];
    whole.required = [...new Set(['apiVersion', 'kind', 'metadata', ...required])];
    const text = { type: 'string' };
    const own = { $ref: `${PREFIX}${METADATA}` };
    whole.properties = {
      ...(whole.properties as Schema),
      apiVersion: text,
      kind: text,
      metadata: own,
    };
    bundle.kinds[kind] = kind;
    bundle.definitions[kind] = whole;
  };
  for (const { module, version, files, kinds } of sources) {
    for (const file of files) {
      const text = readFileSync(join(folder(module, version), file), 'utf8');
      for (const document of parseAllDocuments(text)) {
        const definition = (document as { toJS(): Definition }).toJS();
        if (definition?.kind !== 'CustomResourceDefinition') continue;
        const { group, names, versions } = definition.spec;
        if (kinds && !kinds.includes(names.kind)) continue;
        // Of a kind that has become v1, v1 alone.
        const stable = versions.some(({ name }) => name === 'v1');
        for (const { name, served, schema } of versions) {
          if (!served || (stable && name !== 'v1')) continue;
          add(`${group}/${name}/${names.kind}`, schema.openAPIV3Schema);
        }
      }
    }
  }
  add('cloud.google.com/v1/BackendConfig', BACKEND_CONFIG);
  return bundle;
}

const METADATA = 'apimachinery.pkg.apis.meta.v1.ObjectMeta';

function write(name: string, { kinds, definitions }: Bundle): void {
  const lines = (part: object) =>
    Object.entries(part)
      .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
      .join(',\n');
  const text = `{"kinds":{\n${lines(kinds)}\n},\n"definitions":{\n${lines(definitions)}\n}}\n`;
  writeFileSync(join(import.meta.dirname, `${name}.json`), text);
  console.log(
    `wrote ${name}.json: ${Object.keys(kinds).length} kinds, ${Math.round(text.length / 1024)} KiB`,
  );
}

let metadata: Record<string, Schema> = {};
for (const version of KUBERNETES) {
  const bundle = kubernetes(version);
  write(`kubernetes-${version.replace(/\.\d+$/, '')}`, bundle);
  metadata = Object.fromEntries(
    [...reach(METADATA, bundle.definitions)].map((name) => [name, bundle.definitions[name]!]),
  );
}
write('custom-resources', customResources(CUSTOM_RESOURCES, metadata));
