import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { GatewayError } from '@streamgate/protocol/errors';
import { Redis } from 'ioredis';
import { RedisLink } from '../backplane/redis-link.js';
import { redisOptions } from '../backplane/redis-options.js';
import { metrics } from '../ops/metrics.js';
import { type TestRedis, startRedis } from '../../test/redis.js';
import { inboxLua } from './inbox-scripts.js';
import { type Kept, MemoryInbox } from './memory-inbox.js';
import { RedisInbox } from './redis-inbox.js';
import { BEGINNING, type InboxStore, NEWEST, type Page, type Taken } from './store.js';

let server: TestRedis;
let link: RedisLink;
beforeAll(async () => {
  server = await startRedis();
  link = new RedisLink((purpose) => new Redis(redisOptions(server.url, purpose)), 500);
  await link.start();
});
afterEach(() => link.redis.flushall());
afterAll(async () => {
  link.close();
  await server.stop();
});

const LIMITS = {
  inboxMaxEvents: 1000,
  inboxMaxBytes: 1_000_000,
  inboxSeconds: 60,
  maxBufferedBytes: 1_000_000,
};

interface Inbox {
  readonly store: InboxStore;
  append(kept: Partial<Kept>): Promise<unknown>;
}

const KINDS: Record<string, (limits?: Partial<typeof LIMITS>) => Inbox> = {
  memory(limits) {
    const store = new MemoryInbox({ ...LIMITS, ...limits });
    return { store, append: async (kept) => store.append({ ...DEFAULTS, ...kept }) };
  },
  redis(limits) {
    const config = { ...LIMITS, ...limits, redisPrefix: 'test' };
    // As a ledger does it, in a script of its own.
    const lua = `${inboxLua(config)}
      local dropped = 0
      for user = 5, #ARGV do
        local _, out = inbox_append(ARGV[1], ARGV[user], ARGV[2], ARGV[3], tonumber(ARGV[4]))
        dropped = dropped + out
      end
      return dropped`;
    return {
      store: new RedisInbox(config, link),
      async append(kept) {
        const { namespace, users, tag, payload, expiresAt } = { ...DEFAULTS, ...kept };
        // As ledgers do: 0 is no end, and a moment may have passed.
        const ttl = expiresAt === undefined ? 0 : Math.max(1, expiresAt - Date.now());
        const args = [namespace, tag, payload, ttl, ...users];
        metrics.inboxDropped.add('', (await link.redis.eval(lua, 0, ...args)) as number);
      },
    };
  },
};

function pageOf(looked: Page | undefined | GatewayError): Page | undefined {
  if (looked instanceof GatewayError) throw looked;
  return looked;
}

const DEFAULTS: Kept = { namespace: '/', users: ['u'], tag: 't', payload: '["said"]' };

describe.each(Object.keys(KINDS))('an inbox in %s', (kind) => {
  const open = KINDS[kind]!;
  const look = async ({ store }: Inbox, after = BEGINNING, userId = 'u') =>
    pageOf((await store.look([{ namespace: '/', userId, after }]))[0]);
  const tags = (page: Page | undefined) => page?.events.map(({ tag }) => tag);

  async function fill(inbox: Inbox, count: number, kept: Partial<Kept> = {}) {
    for (let number = 0; number < count; number++)
      await inbox.append({ tag: String(number), payload: `["said",${number}]`, ...kept });
  }

  test('gives in order what was put in, to each user and namespace its own', async () => {
    const inbox = open();
    expect(await look(inbox)).toBeUndefined();
    await inbox.append({ users: ['u', 'v'], tag: 'z', payload: '["said","ü 🎉"]' });
    await inbox.append({ tag: 'a' });
    await inbox.append({ namespace: '/chat', tag: 'chat' });
    expect(await look(inbox)).toMatchObject({
      events: [
        { tag: 'z', payload: '["said","ü 🎉"]' },
        { tag: 'a', payload: '["said"]' },
      ],
      more: false,
    });
    const looks = ['v', 'nobody', 'u'].map((userId) => ({ namespace: '/', userId, after: '0' }));
    expect((await inbox.store.look(looks)).map(pageOf).map(tags)).toEqual([
      ['z'],
      undefined,
      ['z', 'a'],
    ]);
  });

  test('knows how much lies in all inboxes, whatever becomes of it', async () => {
    const inbox = open({ inboxMaxEvents: 3 });
    const size = () => inbox.store.size();
    expect(await size()).toBe(0);
    await inbox.append({ users: ['u', 'v'], tag: 'two' });
    await inbox.append({ tag: 'two' });
    await inbox.append({ namespace: '/chat', tag: 'chat' });
    expect(await size()).toBe(3);
    const take = (what: Taken['what']) => inbox.store.take([{ namespace: '/', userId: 'u', what }]);
    await take({ tags: ['two', 'none'] });
    await take({ tags: ['two'] });
    expect(await size()).toBe(2);
    // Two go out for those behind them.
    await fill(inbox, 5);
    expect(await size()).toBe(5);
    await take({ upTo: (await look(inbox))!.reached });
    expect(await size()).toBe(2);
    await inbox.append({ tag: 'short', expiresAt: Date.now() + 1 });
    expect(await size()).toBe(3);
    await vi.waitFor(async () => {
      await look(inbox);
      expect(await size()).toBe(2);
    });
  });

  test('holds an event once, however often it is put in', async () => {
    const inbox = open();
    await inbox.append({ tag: 'once', payload: '["said",1]' });
    await inbox.append({ tag: 'once', payload: '["said",2]' });
    expect((await look(inbox))?.events).toMatchObject([{ payload: '["said",1]' }]);
  });

  test('is read page by page, by count and by bytes', async () => {
    const inbox = open();
    await fill(inbox, 150);
    const first = await look(inbox);
    expect(first).toMatchObject({ more: true });
    expect(first?.events).toHaveLength(100);
    const second = await look(inbox, first!.reached);
    expect(second).toMatchObject({ more: false });
    expect(tags(second)).toEqual(Array.from({ length: 50 }, (_, index) => String(100 + index)));
    expect(await look(inbox, second!.reached)).toMatchObject({ events: [], more: false });

    const large = open();
    await fill(large, 3, { users: ['large'], payload: JSON.stringify(['x'.repeat(40_000)]) });
    const page = await look(large, BEGINNING, 'large');
    expect(page).toMatchObject({ events: [{ tag: '0' }], more: true });
    expect(tags(await look(large, page!.reached, 'large'))).toEqual(['1']);

    const little = open({ maxBufferedBytes: 1000 });
    await fill(little, 9, { users: ['little'], payload: JSON.stringify(['x'.repeat(150)]) });
    expect(tags(await look(little, BEGINNING, 'little'))).toHaveLength(3);
  });

  test('lets go of what was taken, by name or up to a place', async () => {
    const inbox = open();
    await fill(inbox, 5);
    const at = { namespace: '/', userId: 'u' };
    await inbox.store.take([{ ...at, what: { tags: ['1', '3', 'unknown'] } }]);
    expect(tags(await look(inbox))).toEqual(['0', '2', '4']);
    const newest = await look(inbox, NEWEST);
    expect(newest).toMatchObject({ events: [], more: false });
    await inbox.append({ tag: 'later' });
    await inbox.store.take([
      { namespace: '/', userId: 'nobody', what: { upTo: '5' } },
      { ...at, what: { upTo: newest!.reached } },
    ]);
    expect(tags(await look(inbox))).toEqual(['later']);
    await inbox.store.take([{ ...at, what: { tags: ['later'] } }]);
    expect(await look(inbox)).toBeUndefined();
    if (kind === 'redis') expect(await link.redis.dbsize()).toBe(0);
  });

  test('places go on rising where it was empty meanwhile', async () => {
    const inbox = open();
    await inbox.append({ tag: 'first' });
    const first = await look(inbox);
    await inbox.store.take([{ namespace: '/', userId: 'u', what: { tags: ['first'] } }]);
    await inbox.append({ tag: 'second' });
    expect(tags(await look(inbox, first!.reached))).toEqual(['second']);
  });

  test('is bounded by count and bytes, and the oldest go first', async () => {
    const before = metrics.inboxDropped.value();
    const few = open({ inboxMaxEvents: 3 });
    await fill(few, 5);
    expect(tags(await look(few))).toEqual(['2', '3', '4']);
    expect(metrics.inboxDropped.value()).toBe(before + 2);
    const small = open({ inboxMaxBytes: 1000 });
    await fill(small, 5, { users: ['small'], payload: JSON.stringify(['x'.repeat(400)]) });
    expect(tags(await look(small, BEGINNING, 'small'))).toEqual(['3', '4']);
    await small.append({
      users: ['small'],
      tag: 'big',
      payload: JSON.stringify(['x'.repeat(2000)]),
    });
    expect(tags(await look(small, BEGINNING, 'small'))).toEqual(['big']);
  });

  test('forgets what has waited too long, and what is no longer worth delivering', async () => {
    const before = metrics.inboxExpired.value();
    const inbox = open({ inboxSeconds: 1 });
    await inbox.append({ tag: 'old' });
    const begun = Date.now();
    await inbox.append({ tag: 'brief', expiresAt: begun + 200 });
    await inbox.append({ tag: 'long', expiresAt: begun + 60_000 });
    expect(tags(await look(inbox))).toEqual(['old', 'brief', 'long']);
    await vi.waitUntil(async () => tags(await look(inbox))?.includes('brief') === false);
    expect(metrics.inboxExpired.value()).toBe(before + 1);
    await vi.waitUntil(() => Date.now() > begun + 900);
    await inbox.append({ tag: 'new' });
    await vi.waitUntil(async () => tags(await look(inbox))?.join() === 'new', 3000);
  });
});

test('all inboxes of a node without Redis have a bound together', async () => {
  const store = new MemoryInbox(LIMITS, 1000);
  const payload = JSON.stringify(['x'.repeat(100)]);
  for (let user = 0; user < 20; user++)
    store.append({ ...DEFAULTS, users: [String(user)], tag: 't', payload });
  const looks = Array.from({ length: 20 }, (_, user) => ({
    namespace: '/',
    userId: String(user),
    after: BEGINNING,
  }));
  const found = (await store.look(looks)).map((page) => pageOf(page)?.events.length ?? 0);
  expect(found.join('')).toMatch(/^0+1{9}$/);
});

test('many users are looked for with few calls, and no answer grows without bound', async () => {
  const inbox = KINDS.redis!();
  const users = Array.from({ length: 250 }, (_, index) => `user-${index}`);
  await inbox.append({ users, payload: JSON.stringify(['x'.repeat(20_000)]) });
  const looks = users.map((userId) => ({ namespace: '/', userId, after: BEGINNING }));
  const pages = (await inbox.store.look(looks)).map(pageOf);
  expect(pages).toHaveLength(250);
  const found = pages.filter((page) => page!.events.length === 1);
  expect(found.length).toBeGreaterThan(100);
  expect(found.length).toBeLessThan(250);
  // Who got nothing this time is told that there is something.
  for (const page of pages)
    expect(page).toMatchObject(
      page!.events.length ? { more: false } : { more: true, reached: '0' },
    );
});

const ALICE = { namespace: '/', userId: 'alice' };
const BOB = { namespace: '/', userId: 'bob' };
const ORDER = '{test}:1:inbox:order:/:alice';
const ITEMS = '{test}:1:inbox:items:/:alice';

test('what an event is worth goes by the clock of Redis', async () => {
  const inbox = KINDS.redis!();
  // A node that is far behind: what remains is the same.
  const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now() - 3_600_000);
  try {
    await inbox.append({ users: ['alice'], expiresAt: Date.now() + 60_000 });
  } finally {
    clock.mockRestore();
  }
  expect(await inbox.store.look([{ ...ALICE, after: BEGINNING }])).toMatchObject([
    { events: [{ tag: 't' }] },
  ]);
});

test('an inbox whose events Redis has lost begins anew', async () => {
  const inbox = KINDS.redis!({ inboxMaxEvents: 3 });
  const alice = { ...ALICE, after: BEGINNING };
  for (const tag of ['a', 'b']) await inbox.append({ users: ['alice', 'bob'], tag });
  await link.redis.del(ITEMS);
  await inbox.append({ users: ['alice', 'bob'], tag: 'c' });
  const before = metrics.inboxDropped.value();
  expect(await inbox.store.look([alice, { ...BOB, after: BEGINNING }])).toMatchObject([
    { events: [{ tag: 'c' }], more: false },
    { events: [{ tag: 'a' }, { tag: 'b' }, { tag: 'c' }] },
  ]);
  expect(metrics.inboxDropped.value()).toBe(before + 2);
  expect(await link.redis.ttl(ITEMS)).toBeGreaterThan(0);

  await link.redis.del(ITEMS);
  expect(await inbox.store.look([alice])).toMatchObject([{ events: [], more: false }]);
  expect(await inbox.store.look([alice])).toEqual([undefined]);
  expect(await link.redis.exists(ITEMS)).toBe(0);

  // And the other way round: what nobody finds any more does not count.
  await inbox.append({ users: ['alice'], tag: 'd', payload: JSON.stringify('x'.repeat(999)) });
  await link.redis.del(ORDER);
  await inbox.append({ users: ['alice'], tag: 'e' });
  expect(await link.redis.hkeys(ITEMS)).toEqual(['e', '']);
  await inbox.store.take([{ ...ALICE, what: { tags: ['e'] } }]);
  expect(await link.redis.exists(ORDER, ITEMS)).toBe(0);
});

test('how much lies in all inboxes mends itself as hours go by', async () => {
  const inbox = KINDS.redis!({ inboxSeconds: 7200 });
  const { store } = inbox;
  const sizes = '{test}:1:inbox:size';
  await inbox.append({ users: ['alice'] });
  // Of inboxes that have expired whole, and of some that nobody can look into.
  const hour = Math.floor(Date.now() / 3_600_000);
  await link.redis.hset(sizes, { [hour - 4]: 7, [hour - 1]: 2 });
  expect(await store.size()).toBe(3);
  expect(await link.redis.hexists(sizes, String(hour - 4))).toBe(0);
  // What was put in before it was counted takes nothing off what comes.
  await link.redis.del(sizes);
  await store.take([{ ...ALICE, what: { tags: ['t'] } }]);
  expect(await store.size()).toBe(0);
  await inbox.append({ users: ['alice'] });
  expect(await store.size()).toBe(1);
});

test('an inbox that is broken does not keep others from theirs', async () => {
  const inbox = KINDS.redis!();
  await inbox.append({ users: ['alice', 'bob'] });
  await link.redis.set(ITEMS, 'by hand');
  const looked = await inbox.store.look([
    { ...ALICE, after: BEGINNING },
    { ...BOB, after: BEGINNING },
  ]);
  expect(looked[0]).toMatchObject({ code: 'internal' });
  expect(looked[1]).toMatchObject({ events: [{ tag: 't' }] });
  const what = { tags: ['t'] };
  await inbox.store.take([
    { ...ALICE, what },
    { ...BOB, what },
  ]);
  expect(await inbox.store.look([{ ...BOB, after: BEGINNING }])).toEqual([undefined]);
});

test('takes out however many at once', async () => {
  const inbox = KINDS.redis!();
  await inbox.append({ users: ['alice'] });
  const tags = Array.from({ length: 200_000 }, (_, n) => `gone-${n}`);
  await inbox.store.take([{ ...ALICE, what: { tags: [...tags, 't'] } }]);
  expect(await inbox.store.look([{ ...ALICE, after: BEGINNING }])).toEqual([undefined]);
});

test('lasts as long as events go on coming, and costs Redis little for each', async () => {
  const inbox = KINDS.redis!();
  await inbox.append({ users: ['alice'], tag: 'first' });
  await link.redis.expire(ORDER, 5);
  await link.redis.expire(ITEMS, 5);
  let n = 0;
  await vi.waitUntil(async () => {
    await inbox.append({ users: ['alice'], tag: String(n++) });
    return (await link.redis.ttl(ORDER)) > 5 && (await link.redis.ttl(ITEMS)) > 5;
  }, 3000);

  const users = Array.from({ length: 200 }, (_, each) => `user-${each}`);
  await inbox.append({ users, tag: 'first' });
  await link.redis.config('RESETSTAT');
  await inbox.append({ users, tag: 'second' });
  const calls = [...(await link.redis.info('commandstats')).matchAll(/calls=(\d+)/g)];
  const all = calls.reduce((sum, [, each]) => sum + Number(each), 0);
  // Some have begun another second.
  expect(all / users.length).toBeLessThan(9);
});
