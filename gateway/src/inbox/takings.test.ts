import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { InboxStore, Taken } from './store.js';
import { Takings } from './takings.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const LINGER_MS = 3000;

/** What a store was told to take, and when. */
function scene(lingerMs: number) {
  const taken: [ms: number, ...tags: string[]][] = [];
  const begun = performance.now();
  let failing = false;
  let returned = () => undefined as void;
  const store: Pick<InboxStore, 'take' | 'onReturn'> = {
    async take(all) {
      if (failing) throw new Error('away');
      taken.push([performance.now() - begun, ...all.flatMap(({ what }) => tagsOf(what))]);
    },
    onReturn: (listener) => void (returned = listener),
  };
  const takings = new Takings(store, lingerMs);
  return {
    taken,
    takings,
    add: (userId: string, tag: string) =>
      takings.add({ namespace: '/', userId, what: { tags: [tag] } }),
    fail: () => (failing = true),
    comeBack: () => {
      failing = false;
      returned();
    },
  };
}

function tagsOf(what: Taken['what']): readonly string[] {
  return 'tags' in what ? what.tags : [];
}

test('each stays its whole time, whoever goes meanwhile', async () => {
  const { takings, taken, add } = scene(LINGER_MS);
  add('alice', 'a');
  await vi.advanceTimersByTimeAsync(2900);
  add('bob', 'b');
  add('carol', 'c');
  add('bob', 'b2');
  takings.flush('/', 'carol');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(taken.map(([, ...tags]) => tags)).toEqual([['c'], ['a'], ['b', 'b2']]);
  const [[carol], [alice], [bob]] = taken as [[number], [number], [number]];
  expect(carol).toBe(2900);
  expect(alice).toBeGreaterThanOrEqual(LINGER_MS);
  expect(alice).toBeLessThan(LINGER_MS + 500);
  expect(bob).toBeGreaterThanOrEqual(2900 + LINGER_MS);
  expect(bob).toBeLessThan(2900 + LINGER_MS + 500);
});

test('tries again when the store is back', async () => {
  const { takings, taken, add, fail, comeBack } = scene(0);
  fail();
  add('alice', 'a');
  await vi.advanceTimersByTimeAsync(1000);
  comeBack();
  await takings.close();
  expect(taken).toEqual([[1000, 'a']]);
});

test('takes all when it is closed', async () => {
  const { takings, taken, add } = scene(LINGER_MS);
  add('alice', 'a');
  add('bob', 'b');
  await takings.close();
  expect(taken).toEqual([[0, 'a', 'b']]);
});
