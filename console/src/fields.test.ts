import { describe, expect, test } from 'vitest';
import { clientEvents } from '../events-plugin.ts';
import { draftOf, fieldsOf, payloadOf } from './fields.ts';

const schemaOf = (name: string) => clientEvents().find((event) => event.name === name)!.schema;

describe('the form of an event', () => {
  test('has a field for each part of the payload', () => {
    expect(fieldsOf(schemaOf('send-message'))).toMatchObject([
      { name: 'message', kind: 'text', required: true },
      { name: 'to', kind: 'line', required: false },
    ]);
    expect(fieldsOf(schemaOf('get-active-users'))).toMatchObject([
      { name: 'limit', kind: 'number', required: false },
      { name: 'cursor', kind: 'text', required: false },
    ]);
    expect(fieldsOf(schemaOf('message'))).toMatchObject([{ name: 'message', kind: 'json' }]);
  });

  test('is not there for a payload that may be anything', () => {
    expect(fieldsOf(schemaOf('ping'))).toBeUndefined();
  });

  test.each(clientEvents())('$namespace $name: the example survives it', ({ schema, example }) => {
    const fields = fieldsOf(schema);
    if (!fields) return;
    expect(payloadOf(fields, draftOf(fields, example))).toEqual(example ?? {});
  });
});

test('what is typed becomes what the schema wants', () => {
  const fields = fieldsOf({
    type: 'object',
    properties: {
      whole: { type: 'integer' },
      flag: { type: 'boolean' },
      choice: { enum: ['a', 2] },
      id: { anyOf: [{ type: 'string' }, { type: 'integer' }] },
      any: {},
      left: { type: 'string' },
    },
  })!;
  const draft = { whole: '3', flag: 'false', choice: '2', id: '007', any: '{"a":[1]}', left: '' };
  expect(payloadOf(fields, draft)).toEqual({
    whole: 3,
    flag: false,
    choice: 2,
    id: '007',
    any: { a: [1] },
  });
  expect(() => payloadOf(fields, { any: '{' })).toThrow(/^any: /);
});
