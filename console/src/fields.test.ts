import { CHAT_CLIENT_EVENTS } from '@streamgate/protocol/chat-client-events';
import { CLIENT_EVENTS, type ClientEvent } from '@streamgate/protocol/client-events';
import { describe, expect, test } from 'vitest';
import { clientEvents } from '../events-plugin.ts';
import { draftOf, fieldsOf, payloadOf } from './fields.ts';

const TABLES: Record<string, Record<string, ClientEvent>> = {
  '/': CLIENT_EVENTS,
  '/chat': CHAT_CLIENT_EVENTS,
};
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

  test.each(clientEvents())('$namespace $name: the example survives it', (event) => {
    const fields = fieldsOf(event.schema);
    if (!fields) return;
    const { payload } = TABLES[event.namespace]![event.name]!;
    const filled = payloadOf(fields, draftOf(fields, event.example));
    expect(payload.parse(filled)).toEqual(payload.parse(event.example));
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
      number: { anyOf: [{ type: 'string' }, { type: 'integer' }] },
      any: {},
      left: { type: 'string' },
    },
  })!;
  const draft = {
    whole: '3',
    flag: 'false',
    choice: '2',
    id: '007',
    number: '7',
    any: '{"a":[1]}',
    left: '',
  };
  expect(payloadOf(fields, draft)).toEqual({
    whole: 3,
    flag: false,
    choice: 2,
    id: '007',
    number: 7,
    any: { a: [1] },
  });
  expect(() => payloadOf(fields, { any: '{' })).toThrow(/^any: /);
});
