import { expect, test } from 'vitest';
import {
  Command,
  type CommandInput,
  RESERVED_EVENTS,
  parseCommand,
  plainEmit,
} from './commands.js';

/** Values of each field, right and wrong: all of them are put together with all others. */
const rooms: unknown[] = [
  ...[
    '*',
    [],
    ['a'],
    ['*'],
    [''],
    ['a b'],
    ['a\n'],
    ['\u200b'],
    ['\ud800'],
    'a',
    undefined,
    null,
    7,
  ],
  ...[['private:b:a'], ['private:a:b'], ['private:b:'], ['a', 'b'], ['a', 'a'], [7], [['a']]],
  ...[['x'.repeat(200)], ['x'.repeat(201)], ['ö'.repeat(100)], ['ö'.repeat(101)], ['user:42']],
];
const events: unknown[] = [
  ...['x', '', 'a'.repeat(200), 'a'.repeat(201), 'join:room', '\n', undefined, null, 7, ['x']],
  ...RESERVED_EVENTS,
];
const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
const args: unknown[] = [
  ...[
    [],
    [null],
    [undefined],
    ['text'],
    [{ a: [1, { b: null }] }],
    [[1, 2]],
    [1, 2],
    'x',
    undefined,
  ],
  ...[
    [deep(100)],
    [deep(101)],
    [JSON.parse('{"__proto__":{"a":1}}')],
    Array.from({ length: 11 }, () => 1),
  ],
];
const more: object[] = [
  ...[
    {},
    { nsp: '/' },
    { nsp: '/chat' },
    { nsp: 'x' },
    { key: 'k' },
    { key: '' },
    { ttl: 5 },
    { ttl: -1 },
  ],
  ...[
    { volatile: true },
    { durable: true },
    { except: ['a'] },
    { id: 'i', source: 's' },
    { receipt: 'r' },
  ],
  ...[{ traceparent: 'x' }, { action: 'join' }, { action: undefined }, { volatile: undefined }],
];

test('an event with nothing special is what the schema makes of it, and nothing else is let through', () => {
  let plain = 0;
  for (const to of rooms)
    for (const event of events)
      for (const each of args)
        for (const other of more) {
          const input = {
            action: 'emit',
            to,
            event,
            args: each,
            ...other,
          } as unknown as CommandInput;
          const command = plainEmit(input);
          if (!command) continue;
          plain++;
          expect(command).toStrictEqual(Command.parse(input));
          expect(command.action === 'emit' && command.args).not.toBe(each);
        }
  expect(plain).toBeGreaterThan(100);
});

test('what nearly is one is refused as ever', () => {
  const input: CommandInput = { action: 'emit', to: ['a'], event: 'x', args: [] };
  expect(plainEmit(input)).toBeDefined();
  for (const wrong of [
    { ...input, to: ['*'] },
    { ...input, event: 'disconnect' },
    { ...input, args: [deep(101)] },
    { ...input, durable: true },
  ] as unknown as CommandInput[])
    expect(() => parseCommand(wrong)).toThrow();
});
