import { expect, it, vi } from 'vitest';
import { shareRedis } from '../test/shared-redis.ts';
import { type Guard, type MailboxMessage, createAdapter } from './create-adapter.js';

const { server, redis, serve, enter } = await shareRedis();

async function start() {
  const adapter = createAdapter(redis, { prefix: 'test', timeoutMs: 300 });
  const { url } = await serve(adapter);
  const { said } = await enter(url);
  said.length = 0;
  return { adapter, said };
}

const event = (n: number, room = 'room'): MailboxMessage => ({
  namespace: '/',
  event: ['news', n],
  target: { rooms: [room] },
});

/** Publishes the messages whose key did not exist, and says which. */
const ONCE = `
local published = {}
for number, key in ipairs(args) do
  if redis.call('SET', key, 1, 'NX') then
    publish(number)
    published[#published + 1] = number
  end
end
return published`;

const onceFor = (...args: string[]): Guard => ({ lua: ONCE, args });

it('sends what the guard lets through, in order, on all nodes', async () => {
  const [a, b] = [await start(), await start()];
  const first = await a.adapter.publishTogether([event(1), event(2)], onceFor('k1', 'k2'));
  expect(first.answer).toEqual([1, 2]);
  expect(new Set(first.ids).size).toBe(2);
  const again = await b.adapter.publishTogether([event(2), event(3)], onceFor('k2', 'k3'));
  expect(again.answer).toEqual([2]);
  for (const { said } of [a, b]) {
    await vi.waitUntil(() => said.length === 3);
    expect(said.map(([, n]) => n)).toEqual([1, 2, 3]);
  }
});

it('moves sessions in the same step, and what follows reaches them', async () => {
  const [a, b] = [await start(), await start()];
  const join: MailboxMessage = {
    namespace: '/',
    action: 'join',
    target: { rooms: ['room'] },
    rooms: ['new'],
  };
  await a.adapter.publishTogether([join, event(1, 'new')], onceFor('k1', 'k2'));
  for (const { said } of [a, b]) await vi.waitUntil(() => said.length === 1);
});

it('sends nothing when the guard refuses', async () => {
  const { adapter, said } = await start();
  const refuse = { lua: `publish(1) return redis.error_reply('NO')`, args: [] };
  await expect(adapter.publishTogether([event(1)], refuse)).rejects.toMatchObject({
    outcome: 'failed',
  });
  await adapter.publishTogether([event(2)], onceFor('k'));
  await vi.waitUntil(() => said.length === 1);
  expect(said).toEqual([['news', 2]]);
});

it('is delivered once when it happens after the answer was given up on', async () => {
  const { adapter, said } = await start();
  await adapter.publishTogether([event(0)], onceFor('k0'));
  server.pause();
  await expect(adapter.publishTogether([event(1)], onceFor('k1'))).rejects.toMatchObject({
    outcome: 'timeout',
  });
  server.resume();
  await vi.waitUntil(() => adapter.health.up, 5000);
  const again = await adapter.publishTogether([event(1), event(2)], onceFor('k1', 'k2'));
  expect(again.answer).toEqual([2]);
  await vi.waitUntil(() => said.length === 3);
  expect(said.map(([, n]) => n)).toEqual([0, 1, 2]);
});

it('gives Redis the script again when it has forgotten it', async () => {
  const { adapter } = await start();
  await adapter.publishTogether([event(1)], onceFor('k1'));
  await redis.script('FLUSH');
  expect((await adapter.publishTogether([event(2)], onceFor('k2'))).answer).toEqual([1]);
  expect(adapter.health.up).toBe(true);
});

it('takes 64 messages at most', async () => {
  const { adapter } = await start();
  const many = Array.from({ length: 65 }, (_, n) => event(n));
  await expect(adapter.publishTogether(many, onceFor())).rejects.toThrow(RangeError);
});
