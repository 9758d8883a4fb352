import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test } from 'vitest';
import { OPERATIONS } from '@streamgate/protocol/rest';
import type { Operation } from '@streamgate/protocol/rest-operation';
import { openApiDocument } from './openapi.js';

const operations = Object.entries<Operation>(OPERATIONS);

test('is valid OpenAPI 3.1', async () => {
  const validator = new Validator();
  const result = await validator.validate({ ...openApiDocument() });
  expect(result.errors ?? []).toEqual([]);
  expect(result.valid).toBe(true);
  expect(validator.version).toBe('3.1');
});

test('describes every operation, and nothing else', () => {
  const described = Object.entries(openApiDocument().paths ?? {}).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method} ${path}`),
  );
  expect(described).toEqual(operations.map(([, { method, path }]) => `${method} ${path}`));
});

test('names every schema of a body, and lets answers grow', () => {
  const { components } = openApiDocument();
  expect(Object.keys(components?.schemas ?? {})).toEqual(
    expect.arrayContaining(['SendBody', 'SendManyBody', 'NotificationBody', 'Problem', 'User']),
  );
  const schemas = JSON.stringify(components?.schemas);
  expect(schemas).not.toContain('"additionalProperties":false');
  // Counts by role keep their type.
  expect(schemas).toContain('"additionalProperties":{"type":"integer"');
});

test('shows an example of every body', () => {
  for (const { path, method, body } of operations.map(([, operation]) => operation)) {
    if (!body) continue;
    const text = JSON.stringify(openApiDocument().paths?.[path]?.[method]?.requestBody);
    for (const example of body.meta()?.examples ?? [])
      expect(text).toContain(JSON.stringify(example));
  }
});

describe('examples pass their own schemas', () => {
  const schemas = operations.flatMap(([name, { body, answer }]) =>
    [body, answer].flatMap((schema, index) =>
      (schema?.meta()?.examples ?? []).map(
        (example) => [`${name} ${index === 0 ? 'body' : 'answer'}`, schema, example] as const,
      ),
    ),
  );
  test.each(schemas)('%s', (_name, schema, example) => {
    expect(schema?.safeParse(example).error).toBeUndefined();
  });
});
