import type { Json, Schema } from './client-event.js';

/** How a field of a form is filled in. `json` takes whatever the others cannot. */
export type Kind = 'line' | 'text' | 'number' | 'flag' | 'choice' | 'json';

/** A field of an event's form. */
export interface Field {
  readonly name: string;
  readonly required: boolean;
  readonly kind: Kind;
  readonly schema: Schema;
  /** Of a `choice`. */
  readonly choices: readonly string[];
}

/** What was typed into a form, by field; an empty text leaves the field out. */
export type Draft = Readonly<Record<string, string>>;

/** From so many characters on, a text gets more than a line. */
const LINE_MAX = 500;

/** The fields of a payload; undefined when it is not an object, so that only JSON will do. */
export function fieldsOf(schema: Schema): Field[] | undefined {
  const object = variants(schema).find(({ type }) => type === 'object');
  if (!object?.properties) return undefined;
  return Object.entries(object.properties).map(([name, property]) => {
    const choices = choicesOf(property);
    return {
      name,
      required: object.required?.includes(name) ?? false,
      kind: choices.length > 0 ? 'choice' : kindOf(property),
      schema: property,
      choices,
    };
  });
}

function variants(schema: Schema): readonly Schema[] {
  return (schema.anyOf ?? [schema]).filter(({ type }) => type !== 'null');
}

function choicesOf(schema: Schema): string[] {
  return variants(schema).flatMap((variant) => {
    if (variant.enum) return variant.enum.map(wordOf);
    return variant.const === undefined ? [] : [wordOf(variant.const)];
  });
}

/** A choice as it is shown. */
function wordOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function kindOf(schema: Schema): Kind {
  const types = new Set(variants(schema).map(({ type }) => type));
  if (types.has('string') && [...types].every((type) => type === 'string' || type === 'integer'))
    return (schema.maxLength ?? 0) > LINE_MAX ? 'text' : 'line';
  if (types.size !== 1) return 'json';
  if (types.has('integer') || types.has('number')) return 'number';
  return types.has('boolean') ? 'flag' : 'json';
}

/** A payload as it stands in the form's fields; what has no field is left out. */
export function draftOf(fields: readonly Field[], payload: Json): Draft {
  const values = isObject(payload) ? payload : {};
  return Object.fromEntries(
    fields.map(({ name, kind }) => {
      const value = values[name];
      if (value === undefined) return [name, ''];
      return [name, kind === 'json' || typeof value !== 'string' ? JSON.stringify(value) : value];
    }),
  );
}

/**
 * The payload that a filled-in form stands for.
 * @throws SyntaxError with the field's name when what should be JSON is not
 */
export function payloadOf(fields: readonly Field[], draft: Draft): { [key: string]: Json } {
  const payload: { [key: string]: Json } = {};
  for (const { name, kind, schema } of fields) {
    const text = draft[name] ?? '';
    if (text === '') continue;
    payload[name] = kind === 'json' ? parse(name, text) : valueOf(kind, schema, text);
  }
  return payload;
}

function valueOf(kind: Kind, schema: Schema, text: string): Json {
  if (kind === 'number') return Number(text);
  if (kind === 'flag') return text === 'true';
  if (kind === 'line' && isWholeNumber(text) && takesIntegers(schema)) return Number(text);
  if (kind !== 'choice') return text;
  const values = variants(schema).flatMap((variant) => variant.enum ?? [variant.const ?? text]);
  return values.find((value) => wordOf(value) === text) ?? text;
}

/** Ids made of digits travel as numbers, where the event lets them. */
function takesIntegers(schema: Schema): boolean {
  return variants(schema).some(({ type }) => type === 'integer');
}

function isWholeNumber(text: string): boolean {
  return /^(0|[1-9]\d*)$/.test(text) && Number.isSafeInteger(Number(text));
}

function parse(name: string, text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new SyntaxError(`${name}: ${(error as Error).message}`, { cause: error });
  }
}

export function isObject(value: unknown): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
