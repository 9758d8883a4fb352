import { expect, test, vi } from 'vitest';
import type { SessionData } from '../backplane/backplane.js';
import type { Desk } from './attendance.js';
import type { Attendee, Wants } from './attendee.js';
import { HeartbeatAttendance } from './heartbeat-attendance.js';
import type { Page, Taken } from './store.js';

/** What happens to a session, and the moments that decide, under the test's hand. */
function scene() {
  const done: unknown[] = [];
  let wants: Wants = () => true;
  let beat: (() => void) | undefined;
  const kept: string[] = [];
  const looks: ((page: Page | undefined) => void)[] = [];
  const caught: (() => void)[] = [];
  const flush = () => {
    const tags = kept.splice(0).filter((tag) => wants(tag));
    if (tags.length > 0) done.push(['live', ...tags]);
    return tags;
  };
  const session = {
    connected: true,
    recovered: false,
    hold: (what: Wants) => void (wants = what),
    sift(what: Wants) {
      wants = what;
      return flush();
    },
    release() {
      wants = () => true;
      return flush();
    },
    async deliver(events: readonly unknown[][]) {
      done.push(...events);
      return true;
    },
    onHeartbeat(listener: () => void) {
      beat = listener;
      return () => (beat = undefined);
    },
    async setInbox(inbox: SessionData['inbox']) {
      done.push(inbox ?? 'proven');
    },
  } as unknown as Attendee;
  const desk: Desk = {
    mostEvents: 3,
    look: () => new Promise((resolve) => looks.push(resolve)),
    take: (_, what: Taken['what']) => done.push(what),
    caughtUp: () => new Promise((resolve) => caught.push(resolve)),
    offset: () => 'offset',
    owe: () => done.push('owed'),
  };
  const attendance = new HeartbeatAttendance(session, desk);
  return {
    attendance,
    done,
    /** A tagged event comes live while the session is held. */
    comes: (tag: string) => kept.push(tag),
    /** And while it is not. */
    isSent: (tag: string) => wants(tag),
    answer: async (found: Page | undefined) => {
      await vi.waitUntil(() => looks.length > 0);
      looks.shift()!(found);
    },
    catchUp: async () => {
      await vi.waitUntil(() => caught.length > 0);
      caught.shift()!();
      await new Promise((resolve) => setImmediate(resolve));
    },
    beat: () => beat?.(),
    get listens() {
      return beat !== undefined;
    },
  };
}

const page = (...tags: string[]): Page => ({
  events: tags.map((tag) => ({ tag, payload: JSON.stringify([tag, 1]) })),
  reached: String(tags.length),
  more: false,
});

test('an empty inbox holds nobody up', async () => {
  const { attendance, done, comes, answer } = scene();
  attendance.opened();
  comes('a');
  await answer(undefined);
  await vi.waitUntil(() => done.length === 2);
  expect(done).toEqual([['live', 'a'], 'proven']);
});

test('what came by both ways is sent once, and the client knows that it is behind it', async () => {
  const { attendance, done, comes, answer, catchUp, beat } = scene();
  attendance.opened();
  comes('b');
  await answer(page('a', 'b'));
  comes('c');
  await catchUp();
  expect(done.splice(0)).toEqual([
    'unproven',
    ['a', 1],
    ['b', 1],
    ['live', 'c'],
    ['inbox-delivered', { events: 2 }, 'offset'],
  ]);
  beat();
  expect(done).toEqual([]);
  beat();
  expect(done).toEqual(['proven', { tags: ['a', 'b', 'c'] }]);
});

test('what comes live long after it was in the inbox is not given back as missed either', async () => {
  const { attendance, done, answer, catchUp, beat, isSent } = scene();
  attendance.opened();
  await answer(page('a'));
  await catchUp();
  expect(isSent('a')).toBe(false);
  expect(isSent('b')).toBe(true);
  done.length = 0;
  beat();
  beat();
  expect(done.splice(0)).toEqual([['inbox-delivered', { events: 0 }, 'offset'], { tags: ['a'] }]);
  beat();
  expect(done).toEqual([]);
  beat();
  expect(done).toEqual(['proven']);
  expect(isSent('a')).toBe(true);
});

test('listens to heartbeats only while something is to be proven', async () => {
  const seen = scene();
  seen.attendance.opened();
  await seen.answer(undefined);
  await vi.waitUntil(() => seen.done.length === 1);
  expect(seen.listens).toBe(false);
  seen.attendance.heard('a');
  expect(seen.listens).toBe(true);
  seen.beat();
  seen.beat();
  expect(seen.listens).toBe(false);
  expect(seen.done).toContainEqual({ tags: ['a'] });
});

test('remembers no more of what came live than an inbox holds', async () => {
  const { attendance, done, answer, beat } = scene();
  attendance.opened();
  await answer(undefined);
  await vi.waitUntil(() => done.length === 1);
  for (let n = 0; n < 1000; n++) attendance.heard(String(n));
  beat();
  beat();
  const { tags } = done.at(-1) as { tags: string[] };
  expect(tags.length).toBeLessThan(6);
  expect(tags.slice(-3)).toEqual(['997', '998', '999']);
});
