import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Hub, type Guest } from '../../test/sessions.js';
import { createMemoryBackplane } from '../backplane/memory.js';
import { readConfig } from '../config.js';

let hub: Hub;
let a: Guest;
let b: Guest;

beforeEach(async () => {
  const config = readConfig({ STREAMGATE_MODE: 'development' });
  hub = await new Hub(config, createMemoryBackplane(config)).start();
  [a, b] = await Promise.all([
    hub.connect({ id: 'ann', username: 'Ann' }),
    hub.connect({ id: 'bob' }),
  ]);
  await hub.backplane.join(a.session, ['course:7', 'course:8']);
  await hub.backplane.join(b.session, ['course:7', 'course:8']);
});

afterEach(async () => {
  vi.useRealTimers();
  await hub.close();
});

async function fence(): Promise<void> {
  await hub.rooms.speak(a.session, { to: '*', event: 'fence', args: [] });
  await Promise.all([a.client.next('fence'), b.client.next('fence')]);
}

/** What Bob was told of Ann, room by room. */
async function told(): Promise<string[]> {
  await fence();
  const indicators = b.client.all('typing_indicator') as { room: string; isTyping: boolean }[];
  b.client.forget();
  return indicators.map(({ room, isTyping }) => `${room} ${isTyping}`);
}

const clock = () => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });

test('is told to the others in the room, not to the one who types', async () => {
  expect(await hub.typing.start(a.session, 'course:7', 'd1')).toEqual({ scope: 'cluster' });
  expect(await b.client.next('typing_indicator')).toEqual({
    room: 'course:7',
    discussionId: 'd1',
    userId: 'ann',
    username: 'Ann',
    isTyping: true,
  });
  await hub.typing.stop(a.session, 'course:7', 'd1');
  expect(await b.client.next('typing_indicator')).toMatchObject({ isTyping: false });
  await fence();
  expect(a.client.has('typing_indicator')).toBe(false);
});

test('a room without a discussion and each discussion are apart', async () => {
  await hub.typing.start(a.session, 'course:7');
  await hub.typing.start(a.session, 'course:7', 'd1');
  await hub.typing.stop(a.session, 'course:7');
  await hub.typing.stop(a.session, 'course:7', 'd2');
  await fence();
  expect(b.client.all('typing_indicator')).toEqual([
    { room: 'course:7', userId: 'ann', username: 'Ann', isTyping: true },
    { room: 'course:7', discussionId: 'd1', userId: 'ann', username: 'Ann', isTyping: true },
    { room: 'course:7', userId: 'ann', username: 'Ann', isTyping: false },
  ]);
});

test('ends by itself 5 s after the last start, and starts while typing are not told', async () => {
  clock();
  await hub.typing.start(a.session, 'course:7');
  vi.advanceTimersByTime(3000);
  await hub.typing.start(a.session, 'course:8');
  await hub.typing.start(a.session, 'course:7');
  vi.advanceTimersByTime(4999);
  vi.useRealTimers();
  expect(await told()).toEqual(['course:7 true', 'course:8 true']);
});

test('each ends in its turn', async () => {
  clock();
  await hub.typing.start(a.session, 'course:7');
  vi.advanceTimersByTime(3000);
  await hub.typing.start(a.session, 'course:8');
  vi.advanceTimersByTime(2500);
  await hub.typing.start(a.session, 'course:8');
  vi.advanceTimersByTime(4000);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(1000);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  expect(await told()).toEqual([
    'course:7 true',
    'course:8 true',
    'course:7 false',
    'course:8 false',
  ]);
});

test('ends when the session leaves that room, in all its discussions', async () => {
  await hub.typing.start(a.session, 'course:7');
  await hub.typing.start(a.session, 'course:7', 'd1');
  await hub.typing.start(a.session, 'course:8');
  await told();
  hub.typing.left(a.session, 'course:7');
  expect(await told()).toEqual(['course:7 false', 'course:7 false']);
});

test('ends when the session ends', async () => {
  await hub.typing.start(a.session, 'course:7');
  await hub.typing.start(a.session, 'course:8');
  await told();
  hub.typing.ended(a.session);
  hub.typing.ended(a.session);
  expect(await told()).toEqual(['course:7 false', 'course:8 false']);
});
