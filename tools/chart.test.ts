import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { valueTables } from './chart-readme.ts';

interface Schema {
  properties?: Record<string, Schema>;
  definitions?: Record<string, Schema>;
  $ref?: string;
}

const chart = join(import.meta.dirname, '../charts/streamgate');
const read = (path: string) => readFileSync(join(chart, path), 'utf8');
const schema = JSON.parse(read('values.schema.json')) as Schema;

/** Every path that the schema names, down to where it lets anything be. */
function pathsOf(part: Schema, path: string): string[] {
  const name = part.$ref?.replace('#/definitions/', '');
  const { properties } = name === undefined ? part : (schema.definitions?.[name] ?? {});
  if (!properties) return [path];
  return Object.entries(properties).flatMap(([key, inner]) => pathsOf(inner, `${path}/${key}`));
}

/** Whether `values` has something at that path. */
function has(values: unknown, path: string): boolean {
  let at = values;
  for (const key of path.split('/').slice(1)) {
    if (typeof at !== 'object' || at === null || !(key in at)) return false;
    at = (at as Record<string, unknown>)[key];
  }
  return true;
}

test('every value that the schema allows has a default, and none is null', () => {
  // Helm gives `global` itself; `config` lists variables; resources are as in a container.
  const isOpen = (path: string) => /^\/(global|config)(\/|$)|\/resources\/\w+$/.test(path);
  const values: unknown = parse(read('values.yaml'));
  const missing = pathsOf(schema, '').filter((path) => !isOpen(path) && !has(values, path));
  expect(missing).toEqual([]);
  expect(JSON.stringify(values)).not.toContain('null');
});

test('a value without a comment is refused', () => {
  expect(() => valueTables('## One\n\n# Said.\na: 1\nb:\n  # Said.\n  c: 2\n  d: 3\n')).toThrow(
    'no comment at b.d',
  );
});

test('the chart installs what this repository is', () => {
  const { appVersion, annotations } = parse(read('Chart.yaml')) as {
    appVersion: string;
    annotations: Record<string, string>;
  };
  const gateway = JSON.parse(
    readFileSync(join(import.meta.dirname, '../gateway/package.json'), 'utf8'),
  ) as { version: string };
  expect(appVersion).toBe(gateway.version);
  expect(annotations['artifacthub.io/images']).toContain(`:${appVersion}\n`);
});
