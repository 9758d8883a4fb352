import { describe, expect, test } from 'vitest';
import { commandOfFields, fieldsOfCommand, type CommandFields } from './command-fields.js';
import { parseCommand, type CommandInput } from './commands.js';

describe('fields -> command', () => {
  test.each<[string, CommandFields, Partial<CommandInput>]>([
    ['a room', { to: 'a', event: 'x' }, { action: 'emit', to: ['a'], args: [] }],
    ['rooms', { to: ['a', 'b'], event: 'x' }, { to: ['a', 'b'] }],
    ['everyone', { to: '*', event: 'x' }, { to: '*' }],
    ['one argument', { to: 'a', event: 'x', data: null }, { args: [null] }],
    ['a list is one argument', { to: 'a', event: 'x', data: [1, 2] }, { args: [[1, 2]] }],
    ['except', { to: 'a', event: 'x', except: 'b' }, { except: ['b'] }],
    [
      'flags as numbers',
      { to: 'user:1', event: 'x', durable: 1, volatile: 0 },
      { durable: true, volatile: false },
    ],
    ['flags as text', { to: 'a', event: 'x', volatile: '1' }, { volatile: true }],
    [
      'a join',
      { action: 'join', to: ['user:1', 'user:a:b'], data: { room: 'r' } },
      { action: 'join', users: ['1', 'a:b'], room: 'r' },
    ],
    [
      'a leave',
      { action: 'leave', to: 'user:1', data: { room: 'r' } },
      { action: 'leave', users: ['1'], room: 'r' },
    ],
    [
      'a disconnect',
      { action: 'disconnect', to: 'user:1' },
      { action: 'disconnect', users: ['1'] },
    ],
    [
      'a disconnect with all',
      { action: 'disconnect', to: 'user:1', data: { reason: 'r', code: 'c', revoke: 5 }, id: 'i' },
      { users: ['1'], reason: 'r', code: 'c', revoke: 5, id: 'i' },
    ],
  ])('%s', (_name, fields, command) => {
    expect(parseCommand(commandOfFields(fields))).toMatchObject(command);
  });

  test.each<[string, unknown]>([
    ['unknown_field', { to: 'a', event: 'x', too: 'b' }],
    ['unknown_field', JSON.parse('{"to":"a","event":"x","__proto__":{}}')],
    ['unknown_action', { action: 'constructor', to: 'a' }],
    ['unknown_action', { action: null, to: 'a' }],
    ['invalid_to', { action: 'join', to: '*', data: { room: 'r' } }],
    ['invalid_to', { action: 'leave', to: ['user:'], data: { room: 'r' } }],
    ['invalid_to', { action: 'disconnect' }],
    ['unknown_field', { action: 'join', to: 'user:1', data: { room: 'r' }, durable: 1 }],
    ['unknown_field', { action: 'leave', to: 'user:1', data: { room: 'r' }, except: 'user:2' }],
    ['unknown_field', { action: 'leave', to: 'user:1', data: { room: 'r', rooms: [] } }],
    ['unknown_field', { action: 'disconnect', to: 'user:1', event: 'x' }],
    ['unknown_field', { action: 'disconnect', to: 'user:1', data: { revok: 60 } }],
    ['invalid_payload', { action: 'disconnect', to: 'user:1', data: 'gone' }],
    ['invalid_payload', { action: 'disconnect', to: 'user:1', data: null }],
    ['invalid_payload', null],
    ['invalid_payload', []],
    ['invalid_payload', 'x'],
  ])('refused: %s', (code, fields) => {
    expect(() => commandOfFields(fields)).toThrow(expect.objectContaining({ code }) as Error);
  });

  test.each<[string, object]>([
    ['Unknown field "too"', { to: 'a', event: 'x', too: 'secret' }],
    ['Unknown field "a??b"', { 'a\n\u001bb': 'secret' }],
    [`Unknown field "${'x'.repeat(40)}..."`, { ['x'.repeat(1000)]: 'secret' }],
    [
      'Unknown field "durable": only events have it',
      { action: 'join', to: 'user:1', data: { room: 'r' }, durable: 1 },
    ],
    [
      'Unknown field "revok": data has reason, code, revoke',
      { action: 'disconnect', to: 'user:1', data: { revok: 'secret' } },
    ],
  ])('%s', (message, fields) => {
    expect(() => commandOfFields(fields)).toThrow(expect.objectContaining({ message }) as Error);
  });
});

describe('commands', () => {
  const emit = { action: 'emit', to: ['user:1'], event: 'x', args: [] } as const;

  test.each<[string, object]>([
    ['invalid_ttl', { ttl: 0 }],
    ['invalid_ttl', { ttl: 1.5 }],
    ['invalid_ttl', { ttl: 31_536_001 }],
    ['invalid_payload', { id: '' }],
    ['invalid_payload', { id: 'x'.repeat(201) }],
    ['invalid_payload', { key: 'a\n' }],
    ['invalid_payload', { source: 7 }],
    ['invalid_receipt', { receipt: '' }],
    ['durable_needs_users', { durable: true, to: ['user:1', 'a'] }],
    ['durable_needs_users', { durable: true, to: '*' }],
    ['invalid_to', { durable: true, to: Array.from({ length: 1001 }, (_, n) => `user:${n}`) }],
    ['invalid_payload', { durable: true, volatile: true }],
    ['invalid_payload', { durable: true, except: ['user:2'] }],
    ['invalid_payload', { durable: 'yes' }],
    ['invalid_to', { action: 'disconnect', users: [] }],
    ['invalid_to', { action: 'disconnect', users: ['a\n'] }],
    ['invalid_payload', { action: 'disconnect', users: ['1'], revoke: 0 }],
    ['invalid_payload', { action: 'disconnect', users: ['1'], code: 'a b' }],
  ])('refused: %s %j', (code, fields) => {
    const command = { ...emit, ...fields } as unknown as CommandInput;
    expect(() => parseCommand(command)).toThrow(expect.objectContaining({ code }) as Error);
  });

  const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  test.each([
    [trace, trace],
    [`${trace.replace('00-', '01-')}-more`, `${trace.replace('00-', '01-')}-more`],
    ['nonsense', undefined],
    [trace.replace('00-', 'ff-'), undefined],
    [trace.replace('0af7651916cd43dd8448eb211c80319c', '0'.repeat(32)), undefined],
    [7, undefined],
  ])('a wrong trace is ignored: %s', (traceparent, taken) => {
    const command = { ...emit, to: ['user:1'], args: [], traceparent } as unknown as CommandInput;
    expect(parseCommand(command).traceparent).toBe(taken);
  });
});

test.each<CommandInput>([
  { action: 'emit', to: '*', event: 'x', args: [] },
  { action: 'emit', to: ['a'], event: 'x', args: [undefined] },
  { action: 'emit', to: ['user:1', 'user:2'], event: 'x', args: [{ a: 1 }], durable: true, ttl: 5 },
  {
    action: 'emit',
    to: ['a'],
    except: ['b'],
    event: 'x',
    args: [[1]],
    volatile: true,
    nsp: '/chat',
  },
  { action: 'join', users: ['1'], room: 'r', source: 's', id: 'i', key: 'k' },
  { action: 'leave', users: ['1', '2'], room: 'r', receipt: 'streamgate:receipt:x' },
  { action: 'disconnect', users: ['1'] },
  { action: 'disconnect', users: ['1'], reason: 'r', code: 'c', revoke: 60 },
])('a command is the same after its fields: %j', (command) => {
  const back = commandOfFields(fieldsOfCommand(command));
  const twice = {
    ...command,
    ...('args' in command && { args: command.args.filter((arg) => arg !== undefined) }),
  };
  expect(parseCommand(back)).toEqual(parseCommand(twice));
});

test('several arguments are more than data can say', () => {
  const command: CommandInput = { action: 'emit', to: ['a'], event: 'x', args: [1, 2] };
  expect(() => fieldsOfCommand(command)).toThrow('data is one argument');
});
