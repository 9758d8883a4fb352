import type { JsonSchema } from './schema.ts';

/** A field of a payload as one line for people. */
export interface Field {
  /** Dotted; `[]` behind a list: `users[].id`. Empty for the payload itself. */
  readonly name: string;
  readonly type: string;
  readonly optional: boolean;
  readonly notes: string;
}

/** Every field of a payload, those inside of objects and lists behind them. */
export function fieldsOf(schema: JsonSchema): Field[] {
  const object = objectOf(schema);
  if (!object.properties) return [line('', schema, false)];
  const fields = Object.entries(object.properties).flatMap(([name, property]) =>
    within(name, property, !object.required?.includes(name)),
  );
  return fields.length > 0 ? fields : [line('', schema, false)];
}

function within(name: string, schema: JsonSchema, optional: boolean): Field[] {
  const inner = objectOf(schema.items ?? schema);
  const path = schema.items ? `${name}[]` : name;
  const nested = Object.entries(inner.properties ?? {}).flatMap(([key, property]) =>
    within(`${path}.${key}`, property, !inner.required?.includes(key)),
  );
  return [line(name, schema, optional), ...nested];
}

/** A payload that may also be null is described by what it else is. */
function objectOf(schema: JsonSchema): JsonSchema {
  return schema.anyOf?.find(({ properties }) => properties) ?? schema;
}

function line(name: string, schema: JsonSchema, optional: boolean): Field {
  const notes = [limitsOf(schema), schema.description].filter(Boolean).join('; ');
  return { name, type: typeOf(schema), optional, notes };
}

function typeOf(schema: JsonSchema): string {
  const { anyOf, oneOf, enum: values, items, type, format } = schema;
  if (anyOf || oneOf) return [...new Set((anyOf ?? oneOf)!.map(typeOf))].join(' or ');
  if (values) return values.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (items) return `list of ${typeOf(items)}`;
  if (format === 'date-time') return 'time (ISO 8601, UTC)';
  if (type === 'object' && schema.additionalProperties && !schema.properties)
    return schema.additionalProperties === true
      ? 'object'
      : `object of ${typeOf(schema.additionalProperties)}`;
  return type ?? 'any JSON';
}

function limitsOf(schema: JsonSchema): string {
  if (schema.anyOf) return [...new Set(schema.anyOf.map(limitsOf).filter(Boolean))].join(', ');
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, format } = schema;
  return [
    range(minimum, maximum, ''),
    format === undefined ? range(minLength, maxLength, ' characters') : '',
    range(minItems, maxItems, ' entries'),
    schema.default === undefined ? '' : `default \`${JSON.stringify(schema.default)}\``,
  ]
    .filter(Boolean)
    .join(', ');
}

function range(least: number | undefined, most: number | undefined, of: string): string {
  if (least === undefined && most === undefined) return '';
  if (most === undefined) return `at least ${least}${of}`;
  return least === undefined ? `at most ${most}${of}` : `${least} to ${most}${of}`;
}
