import { toJSONSchema, type ZodType } from 'zod';

/** A JSON Schema (draft 7, which AsyncAPI 3 takes as it is), as far as our schemas use it. */
export interface JsonSchema {
  description?: string;
  type?: string;
  format?: string;
  const?: unknown;
  enum?: unknown[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: JsonSchema | boolean;
  propertyNames?: JsonSchema;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
}

/**
 * The JSON Schema of what travels.
 * @param io `input`: as a client writes it; `output`: as the gateway sends it
 */
export function schemaOf(schema: ZodType, io: 'input' | 'output'): JsonSchema {
  const raw = toJSONSchema(schema, {
    target: 'draft-7',
    io,
    unrepresentable: 'any',
    // What a schema says that leaves its values to somebody else, as OpenAPI's generator takes it.
    override: ({ jsonSchema }) => {
      const said = jsonSchema as { override?: JsonSchema };
      Object.assign(said, said.override);
      delete said.override;
    },
  });
  const { $schema: _, definitions = {}, ...rest } = raw as Definitions & object;
  return readable(rest, definitions) as JsonSchema;
}

interface Definitions {
  $schema?: string;
  definitions?: Readonly<Record<string, unknown>>;
}

/**
 * Puts what is referred to in its place, and takes out what is true of every number or date, and
 * what a later version may change.
 */
function readable(node: unknown, definitions: Readonly<Record<string, unknown>>): unknown {
  if (Array.isArray(node)) return node.map((entry) => readable(entry, definitions));
  if (typeof node !== 'object' || node === null) return node;
  const { $ref, ...schema } = node as Record<string, unknown>;
  if (typeof $ref === 'string') {
    const name = $ref.slice($ref.lastIndexOf('/') + 1);
    // The one schema without a name is "any JSON", which refers to itself.
    const target = name.startsWith('__schema') ? {} : definitions[name];
    return { ...(readable(target, definitions) as object), ...schema };
  }
  const { allOf } = schema;
  if (Array.isArray(allOf) && allOf.length === 1 && Object.keys(schema).length === 1)
    return readable(allOf[0], definitions);
  const kept = Object.entries(schema).filter(
    ([name, value]) =>
      // The schema's own name; a field called so is an object.
      !(name === 'id' && typeof value === 'string') &&
      !(name === 'additionalProperties' && value === false) &&
      !(name === 'pattern' && 'format' in schema) &&
      !(value === Number.MAX_SAFE_INTEGER || value === Number.MIN_SAFE_INTEGER),
  );
  return Object.fromEntries(kept.map(([name, value]) => [name, readable(value, definitions)]));
}
