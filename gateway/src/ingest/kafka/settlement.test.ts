import { beforeEach, describe, expect, test } from 'vitest';
import type { Outcome } from '@streamgate/protocol/commands';
import { GatewayError } from '@streamgate/protocol/errors';
import { log } from '../../ops/log.js';
import type { Item } from '../execute.js';
import type { KafkaMessage } from './kafka-message.js';
import { Settlement } from './settlement.js';

/** Failures that no real backplane has at will: what the executor says is made up here. */

log.level = 'silent';
const done: Outcome = { outcome: 'done', inboxed: 0 };
const away = () => new GatewayError('backplane_unavailable');
const forbidden = () => new GatewayError('room_forbidden');

let calls: unknown[][];
let isUp: boolean;
/** What was told: streams and codes. */
let receipts: unknown[][];
beforeEach(() => {
  calls = [];
  isUp = true;
  receipts = [];
});

function message(data: unknown, text = JSON.stringify({ to: '*', event: 'x', data })) {
  const written = {
    topic: 'streamgate.commands',
    value: Buffer.from(text),
    headers: new Map<string, string>(),
    timestamp: 1000n,
    partition: 3,
    offset: 7n,
  };
  return written as KafkaMessage;
}

/** @param say an outcome for each argument of the commands, or throws for all */
function settlement(say: (data: unknown, call: number) => Outcome | GatewayError) {
  return new Settlement({
    config: { kafkaTopicPrefix: undefined, commandMaxBytes: 1000 },
    executor: {
      async executeAll(items: readonly Item[]) {
        const asked = items.map(({ input }) => (input.action === 'emit' ? input.args[0] : input));
        calls.push(asked);
        return asked.map((data) => say(data, calls.length));
      },
    },
    receipts: {
      async write(asked, outcomes) {
        for (const [index, { input }] of asked.entries())
          receipts.push([input.receipt, (outcomes[index] as GatewayError).code]);
      },
    },
    isUp: () => isUp,
  });
}

const never = new AbortController().signal;
const codes = (letters: readonly { error: GatewayError }[] | undefined) =>
  letters?.map(({ error }) => error.code);

test('what cannot be executed is told in the order of the messages', async () => {
  const letters = await settlement((data) => (data === 2 ? forbidden() : done)).settle(
    [message(1), message(2), message(0, '{'), message(3)],
    never,
  );
  expect(codes(letters)).toEqual(['room_forbidden', 'invalid_json']);
  expect(calls).toEqual([[1, 2, 3]]);
});

test('the time of the message is that of the command, its place the tag', async () => {
  const items: Item[] = [];
  await new Settlement({
    config: { kafkaTopicPrefix: undefined, commandMaxBytes: 1000 },
    executor: {
      async executeAll(some) {
        items.push(...some);
        return some.map(() => done);
      },
    },
    receipts: undefined,
    isUp: () => true,
  }).settle([message(1), { ...message(2), timestamp: -1n }], never);
  expect(items.map(({ writtenAt, tag, entry }) => [writtenAt, tag, entry])).toEqual([
    [1000, 'streamgate.commands/3/7/1000', undefined],
    [undefined, 'streamgate.commands/3/7/-1', undefined],
  ]);
});

describe('a passing failure', () => {
  test('of some is tried again, the others are not', async () => {
    const letters = await settlement((data, call) =>
      data === 2 && call === 1 ? away() : done,
    ).settle([message(1), message(2), message(3)], never);
    expect(letters).toEqual([]);
    expect(calls).toEqual([[1, 2, 3], [2]]);
  });

  test('of all of them too', async () => {
    const letters = await settlement((_, call) => {
      if (call === 1) throw away();
      return done;
    }).settle([message(1), message(2)], never);
    expect(letters).toEqual([]);
    expect(calls).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  test('is tried for as long as the backplane is away', async () => {
    isUp = false;
    const letters = await settlement((_, call) => {
      if (call < 5) throw away();
      return done;
    }).settle([message(1), message(2)], never);
    expect(letters).toEqual([]);
    expect(calls).toHaveLength(5);
    expect(calls.every((asked) => asked.length === 2)).toBe(true);
  });

  test('ends with the signal', async () => {
    const moved = new AbortController();
    const settled = settlement(() => {
      moved.abort();
      throw away();
    }).settle([message(1)], moved.signal);
    expect(await settled).toBeUndefined();
    expect(calls).toHaveLength(1);
  });
});

const PLEASE_TELL = JSON.stringify({ to: '*', event: 'x', data: 2, receipt: 'mine' });

test('one that fails by itself is found and given up, the rest is executed', async () => {
  const letters = await settlement((data) => {
    // Together they fail with it, as in one call to Redis.
    if (calls.at(-1)?.includes(2)) throw new Error('no error of ours');
    return data === 2 ? away() : done;
  }).settle([message(1), message(2, PLEASE_TELL), message(3)], never);
  expect(codes(letters)).toEqual(['gave_up']);
  expect(letters?.[0]?.error.message).toBe('Failed 8 times: internal');
  expect(receipts).toEqual([['mine', 'gave_up']]);
  expect(calls.at(-1)).toEqual([3]);
  expect(calls).toContainEqual([1]);
}, 60_000);
