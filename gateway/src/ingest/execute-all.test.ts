import { Server } from 'socket.io';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { CommandInput } from '@streamgate/protocol/commands';
import { GatewayError } from '@streamgate/protocol/errors';
import { TRUSTED, executorConfig } from '../../test/executor.js';
import { createMemoryBackplane } from '../backplane/memory.js';
import type { Backplane } from '../backplane/backplane.js';
import { readConfig } from '../config.js';
import { metrics } from '../ops/metrics.js';
import { tracing } from '../ops/tracing.js';
import { Executor } from './execute.js';
import { type Consumer, type Deed, type Ledger, MemoryLedger, type Verdict } from './ledger.js';

/** What was settled, by the ledger of a single node. */
class Recorder implements Ledger {
  readonly deeds: Deed[] = [];
  failure: GatewayError | undefined;
  private readonly ledger: Ledger;

  constructor(backplane: Backplane) {
    this.ledger = new MemoryLedger(backplane, 60_000, ({ users }) => users.length);
  }

  settle(deeds: readonly Deed[]): Promise<Verdict[]> {
    if (this.failure) return Promise.reject(this.failure);
    this.deeds.push(...deeds);
    return this.ledger.settle(deeds);
  }
}

const consumer: Consumer = { stream: 's:emit', group: 'g', leaseKey: 'l', token: 't' };

let backplane: Backplane;
let ledger: Recorder;
let executor: Executor;
beforeAll(async () => {
  backplane = createMemoryBackplane(readConfig({ STREAMGATE_MODE: 'development' }));
  new Server(backplane.serverOptions);
  await backplane.start();
});
beforeEach(() => {
  ledger = new Recorder(backplane);
  executor = new Executor({ config: executorConfig, backplane, ledger, receipts: undefined });
});
afterAll(() => backplane.close());

const emit = (fields: object = {}) =>
  ({ action: 'emit', to: ['user:7'], event: 'x', args: [], ...fields }) as CommandInput;

/** Codes of refusals, else the outcomes. */
const codes = (results: readonly (GatewayError | { outcome: string })[]) =>
  results.map((result) => (result instanceof GatewayError ? result.code : result.outcome));

describe('several commands', () => {
  test('an outcome for each, in their order; what is refused never reaches the ledger', async () => {
    const items = [
      { input: emit({ args: [1] }), entry: '1-0' },
      { input: emit({ event: 'connect' }), entry: '2-0' },
      { input: emit({ ttl: 5 }), entry: '3-0', writtenAt: Date.now() - 5001 },
      { input: emit({ ttl: 5 }), entry: '4-0', writtenAt: Date.now() - 4000 },
    ];
    const before = metrics.commands.value('expired');
    const results = await executor.executeAll(items, TRUSTED, consumer);
    expect(codes(results)).toEqual(['done', 'reserved_event', 'expired', 'done']);
    expect(metrics.commands.value('expired')).toBe(before + 1);
    expect(ledger.deeds.map(({ entry, acts }) => [entry, acts.length])).toEqual([
      ['1-0', 1],
      ['3-0', 0],
      ['4-0', 1],
    ]);
  });

  test('an id twice is once, with other content a conflict', async () => {
    const items = [
      { input: emit({ id: 'a', source: 's', args: [1] }), entry: '1-0' },
      { input: emit({ id: 'a', source: 's', args: [1], receipt: undefined }), entry: '2-0' },
      { input: emit({ id: 'a', source: 's', args: [2] }), entry: '3-0' },
      { input: emit({ id: 'a', args: [2] }), entry: '4-0' },
    ];
    const first = await executor.executeAll(items, TRUSTED, consumer);
    expect(codes(first)).toEqual(['done', 'duplicate', 'idempotency_conflict', 'done']);
    expect(ledger.deeds.map(({ entry, acts }) => [entry, acts.length])).toEqual([
      ['1-0', 1],
      ['2-0', 1],
      ['3-0', 1],
      ['4-0', 1],
    ]);
    const second = await executor.executeAll(items, TRUSTED, consumer);
    expect(codes(second)).toEqual(['duplicate', 'duplicate', 'idempotency_conflict', 'duplicate']);
    // What was done decides, not what stands before it in the batch.
    const mixed = [items[2]!, items[2]!, items[0]!];
    expect(codes(await executor.executeAll(mixed, TRUSTED, consumer))).toEqual([
      'idempotency_conflict',
      'idempotency_conflict',
      'duplicate',
    ]);
  });

  test('the same however it came: its trace and its receipt make no difference', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await executor.execute(emit({ id: 'b' }), TRUSTED);
    const again = await executor.execute(emit({ id: 'b', traceparent }), { door: 'kafka' });
    expect(again.outcome).toBe('duplicate');
    await expect(executor.execute(emit({ id: 'b', ttl: 7 }), TRUSTED)).rejects.toMatchObject({
      code: 'idempotency_conflict',
    });
  });

  test.each(['lease_lost', 'backplane_unavailable'] as const)('%s concerns all', async (code) => {
    ledger.failure = new GatewayError(code);
    const before = metrics.commands.value(code);
    const items = [{ input: emit(), entry: '1-0' }];
    await expect(executor.executeAll(items, TRUSTED, consumer)).rejects.toMatchObject({ code });
    expect(metrics.commands.value(code)).toBe(before + 1);
  });

  test('nothing to be recorded, no ledger', async () => {
    ledger.failure = new GatewayError('internal');
    const results = await executor.executeAll([{ input: emit() }, { input: emit() }], TRUSTED);
    expect(codes(results)).toEqual(['done', 'done']);
  });
});

describe('a batch of any size', () => {
  const items = (count: number, fields: object = {}) =>
    Array.from({ length: count }, (_, n) => ({
      input: emit({ id: `${Math.random()}`, args: [n], ...fields }),
    }));

  test('goes in steps, in order, refusals in their places', async () => {
    const all = [...items(100), new GatewayError('unknown_field'), ...items(100)];
    const results = await executor.executeBatch(all, TRUSTED);
    const done = Array.from({ length: 100 }, () => 'done');
    expect(codes(results)).toEqual([...done, 'unknown_field', ...done]);
    expect(ledger.deeds).toHaveLength(200);
  });

  test('what is nested too deep for any text is refused like the rest', async () => {
    const deep: unknown = JSON.parse('['.repeat(200_000) + ']'.repeat(200_000));
    const [first, second] = items(2);
    const results = await executor.executeBatch(
      [first!, { input: emit({ args: [deep] }) }, { input: emit({ event: deep }) }, second!],
      TRUSTED,
    );
    expect(codes(results)).toEqual(['done', 'invalid_payload', 'invalid_payload', 'done']);
  });

  test('after a step that failed nothing is executed', async () => {
    const [first, ...rest] = items(130);
    ledger.failure = new GatewayError('backplane_unavailable');
    const results = await executor.executeBatch([first!, ...rest], TRUSTED);
    expect(new Set(codes(results))).toEqual(new Set(['backplane_unavailable']));
    expect(results).toHaveLength(130);
    expect(ledger.deeds).toHaveLength(0);
  });
});

describe('durable', () => {
  test('an entry keeps its tag when it is executed again, and expires with its ttl', async () => {
    const writtenAt = Date.now() - 1000;
    const input = emit({ durable: true, to: ['user:1', 'user:2'], args: [{ a: 1 }], ttl: 60 });
    const items = [{ input, entry: '1-0', writtenAt }];
    const [outcome] = await executor.executeAll(items, TRUSTED, consumer);
    await executor.executeAll(items, TRUSTED, consumer);
    expect(outcome).toEqual({ outcome: 'done', inboxed: 2 });
    for (const { inbox, acts } of ledger.deeds) {
      expect(inbox).toEqual({
        namespace: '/',
        users: ['1', '2'],
        tag: 's:emit/1-0',
        payload: '["x",{"a":1}]',
        expiresAt: writtenAt + 60_000,
      });
      expect(acts).toMatchObject([{ event: 'x', tag: 's:emit/1-0' }]);
    }
  });

  test('without an entry each has a tag of its own', async () => {
    for (let n = 0; n < 2; n += 1) await executor.execute(emit({ durable: true }), TRUSTED);
    const tags = ledger.deeds.map(({ inbox }) => inbox?.tag);
    expect(new Set(tags).size).toBe(2);
  });
});

describe('what Kafka may bring again', () => {
  const kafka = { door: 'kafka' } as const;

  test('keeps its tag', async () => {
    const items = [{ input: emit({ durable: true }), tag: 'commands/0/7' }];
    for (let n = 0; n < 2; n += 1) await executor.executeAll(items, kafka);
    expect(ledger.deeds.map(({ inbox, entry }) => [inbox?.tag, entry])).toEqual([
      ['commands/0/7', undefined],
      ['commands/0/7', undefined],
    ]);
  });

  test('goes to the ledger also without an id, in one step where it can', async () => {
    await executor.executeAll([{ input: emit() }, { input: emit() }], kafka);
    expect(ledger.deeds).toHaveLength(2);
  });
});

describe('disconnect', () => {
  test('tells the nodes, and revokes up to when the service asked', async () => {
    const writtenAt = Date.now() - 3000;
    const input: CommandInput = { action: 'disconnect', users: ['9'], code: 'c', revoke: 60 };
    await executor.executeAll([{ input, writtenAt, entry: '1-0' }], TRUSTED, consumer);
    expect(ledger.deeds[0]!.acts).toEqual([
      { namespace: '/', to: 'nodes', body: { kind: 'disconnect', users: ['9'], code: 'c' } },
      {
        namespace: '/',
        to: 'nodes',
        body: {
          kind: 'revoked',
          users: ['9'],
          issuedUntil: writtenAt,
          until: expect.any(Number) as number,
        },
      },
    ]);
    expect(await backplane.registry.revocations()).toMatchObject([
      { userId: '9', issuedUntil: writtenAt },
    ]);
  });

  test('revokes only when it is done', async () => {
    const revoke = (user: string, fields: object = {}): CommandInput => ({
      ...{ action: 'disconnect', users: [user], revoke: 60 },
      ...fields,
    });
    const first = { input: revoke('r1', { id: '1' }), writtenAt: Date.now() };
    expect(codes(await executor.executeAll([first], TRUSTED))).toEqual(['done']);
    const later = Date.now() + 5000;
    const others = [
      { ...first, writtenAt: later },
      { input: revoke('r2', { id: '1' }), writtenAt: later },
      { input: revoke('r3', { ttl: 1 }), writtenAt: Date.now() - 2000 },
    ];
    for (const [index, outcome] of ['duplicate', 'idempotency_conflict', 'expired'].entries())
      expect(codes(await executor.executeAll([others[index]!], TRUSTED))).toEqual([outcome]);
    await executor.execute(revoke('r4'), TRUSTED);
    const known = await backplane.registry.revocations();
    const ours = known.filter(({ userId }) => userId.startsWith('r'));
    expect(ours.map(({ userId }) => userId).toSorted()).toEqual(['r1', 'r4']);
    expect(ours.find(({ userId }) => userId === 'r1')?.issuedUntil).toBe(first.writtenAt);
  });
});

describe('who may', () => {
  test.each<[string, 'done' | 'forbidden', string[] | undefined]>([
    ['a door that knows no callers', 'done', undefined],
    ['a role that may emit, without case', 'done', ['SERVICE']],
    ['any other', 'forbidden', ['student']],
  ])('%s: %s', async (_name, result, roles) => {
    const principal = roles && {
      userId: 'u',
      username: 'u',
      roles,
      claims: {},
      expiresAt: undefined,
    };
    const caller = principal ? ({ door: 'http', principal } as const) : TRUSTED;
    expect(codes(await executor.executeAll([{ input: emit() }], caller))).toEqual([result]);
  });

  test('a receipt needs Redis', async () => {
    const input = emit({ receipt: 'streamgate:receipt:a' });
    await expect(executor.execute(input, TRUSTED)).rejects.toMatchObject({
      code: 'invalid_receipt',
    });
  });
});

test('a trace context that is none harms no command, while somebody traces', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  tracing.on = true;
  try {
    for (const tracestate of [42, {}, ['a'], 'x'.repeat(10_000)]) {
      const hostile = emit({ traceparent, tracestate });
      const outcomes = await executor.executeAll(
        [{ input: emit({}) }, { input: hostile }],
        TRUSTED,
      );
      expect(codes(outcomes)).toEqual(['done', 'done']);
    }
    for (const wrong of [42, {}, null]) {
      const outcomes = await executor.executeAll(
        [{ input: emit({ traceparent: wrong }) }],
        TRUSTED,
      );
      expect(codes(outcomes)).toEqual(['done']);
    }
  } finally {
    tracing.on = false;
  }
});
