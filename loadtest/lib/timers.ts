import { clearTimeout, setTimeout } from 'k6/timers';

// All that waits in a VU is in one heap behind one timer of k6. k6 2.2 searches its timers one by
// one at each change, prints a line for each that is left when a run is stopped, and fires the
// next timer too early when one came due while another's callback was still running.

/** What must have happened by a moment, or else is told. */
export interface Waiting {
  /** When that is, in ms since 1970. Moving it on costs nothing; sooner needs `expect` again. */
  deadline: number;
  /** The moment has passed. */
  expire(): void;
}

interface Entry {
  at: number;
  what: Waiting;
}

/** The entry that counts of each that waits; others of it in the heap are stale. */
const waiting = new Map<Waiting, Entry>();
let heap: Entry[] = [];
let iteration: number | undefined;
let timer: { id: number; at: number } | undefined;

/** Has `expire` called once the deadline has passed, unless it is moved on or given up before. */
export function expect(what: Waiting): void {
  if (iteration !== __ITER) {
    // Nothing outlives an iteration; one that k6 stopped has left its own behind.
    iteration = __ITER;
    timer = undefined;
    waiting.clear();
    heap = [];
  }
  const known = waiting.get(what);
  if (known && known.at <= what.deadline) return;
  push(what);
  arm();
}

/** It has happened, or matters no more. */
export function giveUp(what: Waiting): void {
  if (!waiting.delete(what) || waiting.size > 0) return;
  // An iteration lasts as long as a timer is set.
  heap = [];
  arm();
}

/** Calls `listener` in `ms`, never sooner; the result is for `cancel`. */
export function after(ms: number, listener: () => void): Waiting {
  const what = { deadline: Date.now() + Math.max(0, ms), expire: listener };
  expect(what);
  return what;
}

/**
 * Calls `listener` every `ms`, with the time at which each call was due (ms since 1970): late calls
 * are made up for, so that the rate holds whatever a call costs. The result is for `cancel`.
 */
export function every(ms: number, listener: (due: number) => void): Waiting {
  const what: Waiting = {
    deadline: Date.now() + ms,
    expire() {
      const due = what.deadline;
      what.deadline += ms;
      expect(what);
      listener(due);
    },
  };
  expect(what);
  return what;
}

/** Takes back what `after` or `every` set. */
export const cancel = giveUp;

/** Resolves in `ms`, never sooner. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    after(ms, resolve);
  });
}

function arm(): void {
  const at = heap[0]?.at;
  if (timer && timer.at === at) return;
  if (timer) clearTimeout(timer.id);
  timer = undefined;
  if (at !== undefined) timer = { at, id: setTimeout(sweep, Math.max(1, at - Date.now())) };
}

function sweep(): void {
  timer = undefined;
  const now = Date.now();
  for (let first = heap[0]; first && first.at <= now; first = heap[0]) {
    pop();
    const { what } = first;
    if (waiting.get(what) !== first) continue;
    waiting.delete(what);
    if (what.deadline > now) push(what);
    else what.expire();
  }
  // What is left was given up: an iteration need not last for that.
  if (waiting.size === 0) heap = [];
  arm();
}

function push(what: Waiting): void {
  const entry = { at: what.deadline, what };
  waiting.set(what, entry);
  let at = heap.length;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as Entry;
    if (above.at <= entry.at) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = entry;
}

function pop(): void {
  const last = heap.pop();
  if (!last || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && (heap[child + 1] as Entry).at < (heap[child] as Entry).at)
      child++;
    const below = heap[child] as Entry;
    if (last.at <= below.at) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
}
