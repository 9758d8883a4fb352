import { expect, test } from 'vitest';
import { commandOfMessage, receiptAskedIn } from './kafka-message.js';
import { kafkaNames } from './kafka-names.js';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

function message(value: unknown, headers: Record<string, string> = {}) {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return { value: Buffer.from(text), headers: new Map(Object.entries(headers)) };
}

test('names carry the prefix, and no colon', () => {
  const { group, formats } = kafkaNames('shop.');
  expect(group).toBe('shop.streamgate');
  expect([...formats]).toEqual([
    ['shop.ws.emit.user', 'ws:emit:user'],
    ['shop.ws.emit.users', 'ws:emit:users'],
    ['shop.ws.broadcast', 'ws:broadcast'],
    ['shop.ws.emit.room', 'ws:emit:room'],
    ['shop.streamgate.commands', 'command'],
  ]);
});

test('a pattern and a command', () => {
  const emit = { action: 'emit', to: ['user:ann'], event: 'hi', args: [1] };
  const pattern = message({ userId: 'ann', event: 'hi', data: 1 });
  expect(commandOfMessage(pattern, 'ws:emit:user', 1000)).toEqual(emit);
  const command = message({ to: 'user:ann', event: 'hi', data: 1 });
  expect(commandOfMessage(command, 'command', 1000)).toEqual(emit);
});

test("trace context comes from the headers, unless it is among the command's own", () => {
  const headers = { traceparent: TRACE, tracestate: 'a=1' };
  const bare = message({ to: '*', event: 'hi' }, headers);
  expect(commandOfMessage(bare, 'command', 1000)).toMatchObject(headers);
  const own = message({ to: '*', event: 'hi', traceparent: 'own' }, headers);
  const command = commandOfMessage(own, 'command', 1000);
  expect(command).toMatchObject({ traceparent: 'own' });
  expect(command).not.toHaveProperty('tracestate');
});

test.each<[string, ReturnType<typeof message> | { value: undefined }, string]>([
  ['too large', message({ to: '*', event: 'x'.repeat(1000) }), 'payload_too_large'],
  ['a tombstone', { value: undefined }, 'invalid_json'],
  ['not JSON', message('{'), 'invalid_json'],
  ['no object', message('1'), 'invalid_payload'],
])('%s is refused', (_, some, code) => {
  const read = () => commandOfMessage({ headers: new Map(), ...some }, 'command', 1000);
  expect(read).toThrow(expect.objectContaining({ code }) as Error);
});

test('a receipt is found in what is no command, where there is one', () => {
  expect(receiptAskedIn(message({ receipt: 'r', id: 1, colour: 1 }))).toMatchObject({
    receipt: 'r',
    id: 1,
  });
  for (const value of ['{', 'null', '"x"'])
    expect(receiptAskedIn(message(value)).receipt).toBeUndefined();
});
