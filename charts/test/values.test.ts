/** Each value of the chart is known to its schema, and changes what is rendered. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { CASES, render } from './helm.ts';
import { chart } from './program.ts';

interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  maximum?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  definitions?: Record<string, Schema>;
}
type Values = { [key: string]: unknown };

const read = (path: string) => readFileSync(path, 'utf8');
const schema = JSON.parse(read(join(chart, 'values.schema.json'))) as Schema;
const defaults = parse(read(join(chart, 'values.yaml'))) as Values;
const { where, ...others } = parse(read(join(import.meta.dirname, 'other-values.yaml'))) as Values;

interface Leaf {
  path: string;
  value: unknown;
  schema: Schema;
}

function resolved(one: Schema): Schema {
  const name = one.$ref?.split('/').at(-1);
  return name === undefined ? one : resolved(schema.definitions![name]!);
}

/** Every value, and every map of free form, with its part of the schema. */
function leaves(value: Values, part: Schema, path: string[] = []): Leaf[] {
  return Object.entries(value).flatMap(([key, one]) => {
    const known = part.properties?.[key];
    if (!known) throw new Error(`values.schema.json does not know ${[...path, key].join('.')}`);
    const at = resolved(known);
    const isMap = typeof one === 'object' && one !== null && Object.keys(one).length > 0;
    if (isMap && !Array.isArray(one) && at.properties)
      return leaves(one as Values, at, [...path, key]);
    return [{ path: [...path, key].join('.'), value: one, schema: at }];
  });
}

const found = leaves(defaults, schema);

const at = (values: Values, path: string) =>
  path.split('.').reduce<unknown>((map, key) => (map as Values | undefined)?.[key], values);

function nested(path: string, value: unknown): Values {
  return path
    .split('.')
    .toReversed()
    .reduce<unknown>((inner, key) => ({ [key]: inner }), value) as Values;
}

/** Maps into maps; all else of the second goes before the first. */
function merged(one: unknown, two: unknown): unknown {
  const isMap = (value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isMap(one) || !isMap(two)) return two;
  const keys = new Set([...Object.keys(one as Values), ...Object.keys(two as Values)]);
  return Object.fromEntries(
    [...keys].map((key) => {
      if (!(key in (two as Values))) return [key, (one as Values)[key]];
      return [key, merged((one as Values)[key], (two as Values)[key])];
    }),
  );
}

/** What has to be set for a value to mean something. */
function context(path: string): Values {
  const [longest] = Object.keys(where as Values)
    .filter((start) => path.startsWith(start))
    .sort((a, b) => b.length - a.length);
  return longest === undefined ? {} : ((where as Values)[longest] as Values);
}

/** Another value than the one that counts. */
function another({ path, schema: known }: Leaf, current: unknown): unknown {
  const given = at(others, path);
  if (given !== undefined) return given;
  if (known.enum) return known.enum.find((one) => one !== current);
  if (typeof current === 'boolean') return !current;
  if (typeof current === 'number') return current === known.maximum ? current - 1 : current + 1;
  throw new Error(`other-values.yaml has nothing for ${path}`);
}

const rendered = new Map<string, string>();
function once(values: Values): string {
  const key = JSON.stringify(values);
  const text = rendered.get(key) ?? render({ values });
  rendered.set(key, text);
  return text;
}

const needed = parse(read(CASES.default!)) as Values;

describe('changes what is rendered:', () => {
  test.each(found)('$path', (leaf) => {
    const base = merged(needed, context(leaf.path)) as Values;
    const current = at(base, leaf.path) ?? leaf.value;
    const changed = merged(base, nested(leaf.path, another(leaf, current))) as Values;
    expect(once(changed)).not.toBe(once(base));
  });
});

test('the schema knows no value that has no default, and wants every one that has', () => {
  const compare = (value: Values, part: Schema, path: string) => {
    const known = Object.keys(part.properties ?? {}).filter((key) => key !== 'global');
    expect(known.toSorted(), path).toEqual(Object.keys(value).toSorted());
    expect((part.required ?? []).toSorted(), path).toEqual(Object.keys(value).toSorted());
    for (const [key, one] of Object.entries(value)) {
      // What is shared has a form of Kubernetes; `config` is free of form but for its names.
      const inner = part.properties![key]!;
      if (inner.properties && key !== 'config') compare(one as Values, inner, `${path}.${key}`);
    }
  };
  compare(defaults, schema, 'values');
});
