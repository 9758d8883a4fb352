import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { parseCommand, type CommandInput } from './commands.js';
import {
  commandOfEntry,
  deadOfEntry,
  entryBytes,
  entryOfCommand,
  entryOfDead,
  fieldOf,
  orderingKey,
  partitionOf,
  streamNames,
} from './stream.js';

test('names carry the prefix', () => {
  const names = streamNames('shop');
  expect([0, 1, 7].map(names.partition)).toEqual(['shop:emit', 'shop:emit:1', 'shop:emit:7']);
  expect(names.dead).toBe('shop:emit:dead');
  expect(names.receipts).toBe('shop:receipt:');
  expect(names.events).toBe('shop:events');
});

test('the partition of a key is CRC32 of its UTF-8', () => {
  // The check value of CRC-32/ISO-HDLC.
  expect(partitionOf('123456789', 0x1_0000_0000)).toBe(0xcbf43926);
  for (const key of ['', '*', 'user:42', 'course:Đà Nẵng', '😀', 'x'.repeat(1000)])
    for (const count of [1, 2, 4, 7, 1024])
      expect(partitionOf(key, count)).toBe(crc32(key) % count);
});

test('the ordering key is the key, else to as written', () => {
  expect(orderingKey(['to', 'a', 'key', 'k'])).toBe('k');
  expect(orderingKey(['event', 'key', 'to', '["a","b"]'])).toBe('["a","b"]');
  expect(orderingKey(['event', 'x'])).toBe('');
  expect(fieldOf(['to', 'event', 'event', 'x'], 'event')).toBe('x');
});

describe('entry -> command', () => {
  const parsed = (entry: string[]) => parseCommand(commandOfEntry(entry));

  test.each<[string, string[], object]>([
    ['the least', ['to', 'user:42', 'event', 'x'], { to: ['user:42'], event: 'x', args: [] }],
    ['a list', ['to', '["a","b"]', 'event', 'x'], { to: ['a', 'b'] }],
    ['everyone', ['to', '*', 'event', 'x'], { to: '*' }],
    ['data', ['to', 'a', 'event', 'x', 'data', '[1e21]'], { args: [[1e21]] }],
    ['flags', ['to', 'user:1', 'event', 'x', 'durable', '1'], { durable: true, volatile: false }],
    ['ttl', ['to', 'a', 'event', 'x', 'ttl', '60'], { ttl: 60 }],
    ['except', ['to', '*', 'event', 'x', 'except', '["a"]'], { except: ['a'] }],
    ['a namespace', ['to', '*', 'event', 'x', 'nsp', '/chat'], { nsp: '/chat' }],
    ['a numeric id is text', ['to', 'a', 'event', 'x', 'id', '7'], { id: '7' }],
    [
      'a join',
      ['action', 'join', 'to', 'user:1', 'data', '{"room":"r"}'],
      { users: ['1'], room: 'r' },
    ],
  ])('%s', (_name, entry, command) => {
    expect(parsed(entry)).toMatchObject(command);
  });

  test.each<[string, string[]]>([
    ['invalid_json', ['to', 'a', 'event', 'x', 'data', '{']],
    ['invalid_json', ['to', 'a', 'event', 'x', 'data', '']],
    ['invalid_to', ['to', '[a]', 'event', 'x']],
    ['invalid_to', ['to', '[1]', 'event', 'x']],
    ['invalid_to', ['event', 'x']],
    ['invalid_ttl', ['to', 'a', 'event', 'x', 'ttl', '-1']],
    ['invalid_ttl', ['to', 'a', 'event', 'x', 'ttl', '1e3']],
    ['invalid_payload', ['to', 'a', 'to', 'b', 'event', 'x']],
    ['invalid_payload', ['to', 'user:a', 'event', 'x', 'durable', 'true']],
    ['unknown_field', ['to', 'a', 'event', 'x', 'Data', '1']],
    ['unknown_action', ['to', 'a', 'action', 'EMIT']],
    ['reserved_event', ['to', 'a', 'event', 'connect']],
  ])('refused: %s %j', (code, entry) => {
    expect(() => parsed(entry)).toThrow(expect.objectContaining({ code }) as Error);
  });

  test('its size is counted in bytes of UTF-8, names included', () => {
    const entry = ['to', 'a', 'event', 'Đ😀'];
    expect(entryBytes(entry)).toBe(Buffer.byteLength(entry.join('')));
    expect(() => commandOfEntry(entry, entryBytes(entry))).not.toThrow();
    expect(() => commandOfEntry(entry, entryBytes(entry) - 1)).toThrow(
      expect.objectContaining({ code: 'payload_too_large' }) as Error,
    );
  });
});

test.each<CommandInput>([
  { action: 'emit', to: '*', event: 'x', args: [] },
  { action: 'emit', to: ['[odd'], except: ['[odder'], event: 'x', args: ['text'] },
  {
    action: 'emit',
    to: ['user:1', 'user:2'],
    event: 'x',
    args: [true],
    durable: true,
    ttl: 5,
    id: '7',
  },
  { action: 'emit', to: ['a'], except: ['b', 'c'], event: 'x', args: [null], volatile: true },
  { action: 'join', users: ['1', '[2'], room: 'r', key: 'k' },
  { action: 'disconnect', users: ['1'], revoke: 60 },
])('a command is the same after its entry: %j', (command) => {
  expect(parseCommand(commandOfEntry(entryOfCommand(command)))).toEqual(parseCommand(command));
});

test('an argument that is not JSON is refused, not lost', () => {
  for (const arg of [undefined, () => 1])
    expect(() => entryOfCommand({ action: 'emit', to: ['a'], event: 'x', args: [arg] })).toThrow(
      'data is not JSON',
    );
});

test('a dead letter keeps the fields of the service, whatever they are called', () => {
  const letter = {
    reason: 'Unknown field',
    code: 'unknown_field',
    time: 7,
    node: 'n',
    stream: 's',
    entry: '1-0',
  };
  const fields = ['to', 'a', 'code', 'mine', 'to', 'b'];
  expect(deadOfEntry(entryOfDead(fields, letter))).toEqual({ fields, letter });
  expect(deadOfEntry(entryOfDead([], letter))).toEqual({ fields: [], letter });
  expect(deadOfEntry(fields)).toBeUndefined();
});
