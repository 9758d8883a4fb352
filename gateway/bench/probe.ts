import { PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Preloaded (`--import`) into the server that is measured: answers over IPC what the process has
 * used so far, after a full collection when asked for one.
 */

export interface Reading {
  /** User and system time of the process since its start, garbage collector included. */
  cpuMicros: number;
  heapUsedBytes: number;
  rssBytes: number;
  /** Of the event loop's thread in one turn: nothing has blocked the loop for longer, busy machine or not. */
  longestTurnMicros: number;
  /** Of the turns in which the garbage collector did not run. */
  longestOwnTurnMicros: number;
}

export interface ProbeRequest {
  collect: boolean;
  /** From now on turns are measured, which keeps the loop turning; until the next request. */
  watch?: boolean;
  /** From now on it traces or does not; see `trace-switch.ts`. */
  trace?: boolean;
  /** Sends the spans that wait to be sent. */
  flush?: boolean;
}

let watching = false;
let turns: { began: number; ended: number; micros: number }[] = [];
let collections: PerformanceEntry[] = [];
const collected = new PerformanceObserver((list) => collections.push(...list.getEntries()));
/** Shorter ones are not kept. */
const SHORT_MICROS = 200;

process.on('message', ({ collect, watch = false }: ProbeRequest) => {
  if (watch && !watching) {
    [turns, collections] = [[], []];
    collected.observe({ type: 'gc' });
    setImmediate(turn, threadMicros(), performance.now());
  }
  watching = watch;
  void answer(collect);
});

function turn(before: number, began: number): void {
  const [now, ended] = [threadMicros(), performance.now()];
  const micros = now - before;
  if (micros > SHORT_MICROS) turns.push({ began, ended, micros });
  if (watching) setImmediate(turn, now, ended);
}

/** Of those that were watched: the longest, and the longest without a collection. */
function longest(): Pick<Reading, 'longestTurnMicros' | 'longestOwnTurnMicros'> {
  collections.push(...collected.takeRecords());
  if (!watching) collected.disconnect();
  const own = turns.filter(
    ({ began, ended }) =>
      !collections.some((each) => each.startTime < ended && each.startTime + each.duration > began),
  );
  const most = (of: typeof turns) => Math.max(0, ...of.map(({ micros }) => micros));
  return { longestTurnMicros: most(turns), longestOwnTurnMicros: most(own) };
}

function threadMicros(): number {
  // Linux has added up a thread's time as of the last tick, up to 4 ms ago, unless the process is asked for first.
  process.cpuUsage();
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

// The probe must not keep the program alive.
process.channel?.unref();

async function answer(collect: boolean): Promise<void> {
  // Finalizers of one collection free what the next one finds.
  for (let round = 0; collect && round < 4; round++) {
    globalThis.gc?.();
    await nextTurn();
  }
  const { user, system } = process.cpuUsage();
  const { heapUsed, rss } = process.memoryUsage();
  const cpuMicros = user + system;
  const reading: Reading = { cpuMicros, heapUsedBytes: heapUsed, rssBytes: rss, ...longest() };
  process.send?.(reading);
}
