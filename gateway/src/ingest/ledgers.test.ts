import { Redis } from 'ioredis';
import { GatewayError } from '@streamgate/protocol/errors';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Hub, type Guest } from '../../test/sessions.js';
import { eventually } from '../../test/client.js';
import { type TestRedis, startRedis } from '../../test/redis.js';
import type { Act, Backplane } from '../backplane/backplane.js';
import { createMailboxBackplane } from '../backplane/mailbox.js';
import { RedisLink } from '../backplane/redis-link.js';
import { redisOptions } from '../backplane/redis-options.js';
import { createStreamsBackplane } from '../backplane/streams.js';
import { readConfig } from '../config.js';
import { log } from '../ops/log.js';
import { inboxBase } from '../inbox/inbox-keys.js';
import { registryLua } from '../backplane/registry-lua.js';
import { inboxLua } from '../inbox/inbox-scripts.js';
import type { Consumer, Deed, Ledger } from './ledger.js';
import { ScriptLedger } from './script-ledger.js';
import { TwoStepLedger } from './two-step-ledger.js';

let server: TestRedis;
let redis: Redis;
beforeAll(async () => {
  log.level = 'silent';
  server = await startRedis();
  redis = new Redis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const STREAM = 'streamgate:emit';
const consumer: Consumer = { stream: STREAM, group: 'streamgate', leaseKey: 'lease', token: 'a/1' };

function emit(n: number): Act {
  return { namespace: '/', to: '*', event: 'news', args: [n] };
}

describe.each(['mailbox', 'streams'] as const)('the ledger on %s', (kind) => {
  let hub: Hub;
  let link: RedisLink;
  let ledger: Ledger;
  let alice: Guest;

  beforeEach(async () => {
    await redis.flushall();
    await redis.set('lease', 'a/1');
    await redis.xgroup('CREATE', STREAM, 'streamgate', '0', 'MKSTREAM');
    const config = readConfig({ STREAMGATE_MODE: 'development', STREAMGATE_REDIS_URL: server.url });
    const connect = (purpose: 'command' | 'reader' | 'subscriber') =>
      new Redis(redisOptions(server.url, purpose));
    link = new RedisLink(connect, 1000);
    await link.start();
    const make = kind === 'mailbox' ? createMailboxBackplane : createStreamsBackplane;
    const backplane = make(config, connect);
    hub = await new Hub(config, backplane).start();
    ledger =
      kind === 'mailbox'
        ? new ScriptLedger(
            { together: (acts, guard) => backplane.together!(acts, guard) },
            config,
            inboxLua(config) + registryLua(config.redisPrefix),
          )
        : new TwoStepLedger(
            backplane,
            link,
            config,
            inboxLua(config) + registryLua(config.redisPrefix),
          );
    alice = await hub.connect({ id: 'alice' });
  });
  afterEach(async () => {
    await hub.close();
    link.close();
  });

  /** Entries that the consumer was given and that are pending. */
  async function written(count: number): Promise<string[]> {
    for (let n = 0; n < count; n++) await redis.xadd(STREAM, '*', 'n', n);
    const args = ['GROUP', 'streamgate', 'c', 'COUNT', count, 'STREAMS', STREAM, '>'] as const;
    const [[, entries]] = (await redis.xreadgroup(...args)) as [[string, [string, string[]][]]];
    return entries.map(([id]) => id);
  }
  async function heard(count: number): Promise<unknown[]> {
    const { client } = alice;
    return eventually(
      () => client.all('news'),
      (news) => news.length >= count,
    );
  }

  test('does a deed once under its key, and refuses another under the same', async () => {
    const once = { key: '["quiz","1"]', digest: 'x' };
    const deeds: Deed[] = [{ once, acts: [emit(1)] }, { acts: [emit(2)] }];
    const [first, second] = await ledger.settle(deeds);
    expect(first).toMatchObject({ outcome: 'done', inboxed: 0 });
    expect(second).toMatchObject({ outcome: 'done' });
    expect(await ledger.settle([{ once, acts: [emit(3)] }])).toEqual([{ outcome: 'duplicate' }]);
    const [other] = await ledger.settle([{ once: { ...once, digest: 'y' }, acts: [emit(4)] }]);
    expect(other).toMatchObject({ code: 'idempotency_conflict' });
    await ledger.settle([{ once: { key: 'else', digest: 'x' }, acts: [emit(5)] }]);
    expect(await heard(3)).toEqual([1, 2, 5]);
  });

  test('does once what is tried several times at the same moment, and what follows behind it', async () => {
    const once = { key: 'k', digest: 'x' };
    const other = { once: { ...once, digest: 'y' }, acts: [emit(0)] };
    const tries = Array.from({ length: 8 }, () =>
      ledger.settle([{ once, acts: [emit(1)] }, { acts: [emit(2)] }]),
    );
    const firsts = (await Promise.all(tries)).map(([first]) => first);
    expect(firsts.filter((first) => first && 'outcome' in first)).toHaveLength(8);
    expect(firsts.filter((first) => first && 'inboxed' in first)).toHaveLength(1);
    expect(await ledger.settle([other])).toMatchObject([{ code: 'idempotency_conflict' }]);
    expect(await heard(9)).toEqual([1, ...Array.from({ length: 8 }, () => 2)]);
  });

  test('holds a room once, and not for a node that lost its lease', async () => {
    const { registry } = hub.backplane;
    let devices = 0;
    async function held(): Promise<readonly string[] | undefined> {
      const user = { id: 'bob', username: 'bob', roles: [] };
      const session = { id: `device-${++devices}`, user, connectedAt: Date.now() };
      return (await registry.connect('/', session, 100))?.heldRooms;
    }
    expect(await held()).toEqual([]);
    const once = { key: 'h', digest: 'x' };
    const join = {
      namespace: '/',
      action: 'join',
      users: ['bob', 'nobody'],
      room: 'quiz',
    } as const;
    const leave = { ...join, action: 'leave' } as const;
    await ledger.settle([{ once, hold: join, acts: [join] }, { acts: [emit(1)] }]);
    expect(await held()).toEqual(['quiz']);
    await ledger.settle([{ once: { ...once, key: 'l' }, hold: leave, acts: [leave] }]);
    expect(await held()).toEqual([]);
    const again = { once, hold: join, acts: [join] };
    expect(await ledger.settle([again])).toEqual([{ outcome: 'duplicate' }]);
    const [entry] = await written(1);
    const paused = { ...consumer, token: 'b/1' };
    const late = { entry: entry!, hold: join, acts: [join] };
    await expect(ledger.settle([late], paused)).rejects.toMatchObject({ code: 'lease_lost' });
    expect(await held()).toEqual([]);
    await ledger.settle([late], consumer);
    expect(await held()).toEqual(['quiz']);
  });

  test('revokes once, and neither what is refused nor for a node that lost its lease', async () => {
    const { registry } = hub.backplane;
    const now = Date.now();
    const revoke = (userId: string, issuedUntil = now) => ({
      revoke: { users: [userId], issuedUntil, seconds: 60 },
      acts: [emit(0)],
    });
    const revoked = async () =>
      (await registry.revocations()).map(({ userId, issuedUntil }) => [userId, issuedUntil]);
    const once = { key: 'r', digest: 'x' };
    await ledger.settle([{ once, ...revoke('bob') }, { acts: [emit(1)] }]);
    expect(await revoked()).toEqual([['bob', now]]);
    // Later: what was issued since must not be refused by it.
    await ledger.settle([{ once, ...revoke('bob', now + 5000) }]);
    await ledger.settle([{ once: { ...once, digest: 'y' }, ...revoke('carol') }]);
    const [entry] = await written(1);
    const late = { entry: entry!, ...revoke('dave') };
    const paused = { ...consumer, token: 'b/1' };
    await expect(ledger.settle([late], paused)).rejects.toMatchObject({ code: 'lease_lost' });
    expect(await revoked()).toEqual([['bob', now]]);
    await ledger.settle([late], consumer);
    expect((await revoked()).toSorted()).toEqual([
      ['bob', now],
      ['dave', now],
    ]);
  });

  test('acknowledges what it did, a duplicate too, and takes it off the stream', async () => {
    const [one, two, three, four] = await written(4);
    const once = { key: 'k', digest: 'x' };
    await ledger.settle([{ entry: one!, once, acts: [emit(1)] }], consumer);
    expect(await redis.xlen(STREAM)).toBe(3);
    const verdicts = await ledger.settle(
      [
        { entry: two!, once, acts: [emit(2)] },
        { entry: three!, once: { key: 'k', digest: 'y' }, acts: [emit(3)] },
        { entry: four!, acts: [] },
      ],
      consumer,
    );
    expect(verdicts[0]).toEqual({ outcome: 'duplicate' });
    expect(verdicts[1]).toMatchObject({ code: 'idempotency_conflict' });
    expect(verdicts[2]).toMatchObject({ outcome: 'done' });
    // The one that was refused is not acknowledged, and what is behind it is not taken off yet.
    const pending = await redis.xpending(STREAM, 'streamgate');
    expect(pending.slice(0, 3)).toEqual([1, three, three]);
    expect(await redis.xlen(STREAM)).toBe(2);
    expect(await heard(1)).toEqual([1]);
  });

  test('decides what is the same, and what is in conflict, by what was done', async () => {
    const once = { key: 'k', digest: 'x' };
    const other = { ...once, digest: 'y' };
    const verdicts = async (...deeds: Deed[]) =>
      (await ledger.settle(deeds, consumer)).map((each) =>
        each instanceof GatewayError ? each.code : each.outcome,
      );
    const [one, two, three, four, five] = await written(5);
    expect(
      await verdicts(
        { entry: one!, once, acts: [emit(1)] },
        { entry: two!, once, acts: [emit(1)] },
      ),
    ).toEqual(['done', 'duplicate']);
    // Each differs from the one before it: only what was done counts.
    expect(
      await verdicts(
        { entry: three!, once: other, acts: [emit(2)] },
        { entry: four!, once: other, acts: [emit(2)] },
        { entry: five!, once, acts: [emit(1)] },
      ),
    ).toEqual(['idempotency_conflict', 'idempotency_conflict', 'duplicate']);
    const pending = await redis.xpending(STREAM, 'streamgate');
    expect(pending.slice(0, 3)).toEqual([2, three, four]);
    expect(await heard(1)).toEqual([1]);
  });

  test('does nothing without the lease', async () => {
    const [entry] = await written(1);
    await redis.set('lease', 'b/1');
    const deeds: Deed[] = [{ entry: entry!, once: { key: 'k', digest: 'x' }, acts: [emit(1)] }];
    await expect(ledger.settle(deeds, consumer)).rejects.toMatchObject({ code: 'lease_lost' });
    expect(await redis.xlen(STREAM)).toBe(1);
    await ledger.settle([{ once: { key: 'k', digest: 'x' }, acts: [emit(2)] }]);
    expect(await heard(1)).toEqual([2]);
  });

  test('keeps events for users, once for a tag', async () => {
    const inbox = { namespace: '/', users: ['bob', 'carol'], tag: 't', payload: '["news",1]' };
    const deeds: Deed[] = [{ inbox, acts: [emit(1)] }];
    expect(await ledger.settle(deeds)).toMatchObject([{ outcome: 'done', inboxed: 2 }]);
    await ledger.settle(deeds);
    for (const user of inbox.users)
      expect(await redis.zcard(`${inboxBase('streamgate')}:order:/:${user}`)).toBe(1);
  });

  test('takes more than one call carries', async () => {
    const entries = await written(150);
    const deeds = entries.map((entry, n) => ({ entry, acts: [emit(n)] }));
    const verdicts = await ledger.settle(deeds, consumer);
    expect(verdicts).toHaveLength(150);
    expect(await heard(150)).toEqual(deeds.map((_, n) => n));
    expect(await redis.xlen(STREAM)).toBe(0);
  });

  test('moves users and sends in order', async () => {
    const room = 'quiz';
    const move: Act = { namespace: '/', action: 'join', users: ['alice'], room };
    const toRoom: Act = { namespace: '/', to: [room], event: 'news', args: [1] };
    const once = { key: 'k', digest: 'x' };
    await ledger.settle([{ once, acts: [move, toRoom] }]);
    expect(await heard(1)).toEqual([1]);
  });
});

describe('the ledger in two steps', () => {
  let link: RedisLink;
  beforeEach(async () => {
    await redis.flushall();
    link = new RedisLink((purpose) => new Redis(redisOptions(server.url, purpose)), 1000);
    await link.start();
  });
  afterEach(() => link.close());

  const once = { key: 'k', digest: 'x' };
  const deed: Deed = { once, acts: [emit(1)] };

  /** Over a backplane whose publications end when and how the test wants. */
  function scene(redisTimeoutMs: number) {
    const publishing: PromiseWithResolvers<undefined>[] = [];
    const publish = () => {
      publishing.push(Promise.withResolvers());
      return publishing.at(-1)!.promise;
    };
    const config = { redisPrefix: 'streamgate', idempotencySeconds: 60, redisTimeoutMs };
    const lua = inboxLua({ ...LIMITS, ...config }) + registryLua(config.redisPrefix);
    const backplane = { publish } as unknown as Backplane;
    return { publishing, ledger: new TwoStepLedger(backplane, link, config, lua) };
  }
  const LIMITS = { inboxMaxEvents: 10, inboxMaxBytes: 1000, inboxSeconds: 60 };

  test('leaves an id to the next try when acting failed', async () => {
    const { publishing, ledger } = scene(10_000);
    const failing = ledger.settle([deed]);
    await eventually(
      () => publishing.length,
      (begun) => begun === 1,
    );
    const waiting = ledger.settle([deed]);
    publishing[0]!.reject(new GatewayError('backplane_unavailable'));
    expect(await failing).toMatchObject([{ code: 'backplane_unavailable' }]);
    await eventually(
      () => publishing.length,
      (begun) => begun === 2,
    );
    publishing[1]!.resolve(undefined);
    expect(await waiting).toMatchObject([{ outcome: 'done' }]);
    expect(await ledger.settle([deed])).toEqual([{ outcome: 'duplicate' }]);
  });

  test('waits for a try that never ends no longer than an id is reserved', async () => {
    const { publishing, ledger } = scene(50);
    void ledger.settle([deed]);
    await eventually(
      () => publishing.length,
      (begun) => begun === 1,
    );
    const begun = performance.now();
    const next = ledger.settle([deed]);
    await eventually(
      () => publishing.length,
      (acts) => acts === 2,
    );
    expect(performance.now() - begun).toBeGreaterThan(100);
    publishing[1]!.resolve(undefined);
    expect(await next).toMatchObject([{ outcome: 'done' }]);
  });

  test('does not wait for what an earlier reader of the partition has left behind', async () => {
    await redis.set('lease', consumer.token);
    await redis.xgroup('CREATE', STREAM, consumer.group, '0', 'MKSTREAM');
    const { publishing, ledger } = scene(60_000);
    void ledger.settle([deed], consumer);
    await eventually(
      () => publishing.length,
      (begun) => begun === 1,
    );
    const next = ledger.settle([deed], consumer);
    await eventually(
      () => publishing.length,
      (begun) => begun === 2,
    );
    publishing[1]!.resolve(undefined);
    expect(await next).toMatchObject([{ outcome: 'done' }]);
  });
});
