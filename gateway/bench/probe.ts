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
}

export interface ProbeRequest {
  collect: boolean;
  /** From now on turns are measured, which keeps the loop turning; until the next request. */
  watch?: boolean;
}

let watching = false;
let longestTurnMicros = 0;

process.on('message', ({ collect, watch = false }: ProbeRequest) => {
  if (watch) longestTurnMicros = 0;
  if (watch && !watching) setImmediate(turn, threadMicros());
  watching = watch;
  void answer(collect);
});

function turn(before: number): void {
  const now = threadMicros();
  longestTurnMicros = Math.max(longestTurnMicros, now - before);
  if (watching) setImmediate(turn, now);
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
  const reading: Reading = { cpuMicros, heapUsedBytes: heapUsed, rssBytes: rss, longestTurnMicros };
  process.send?.(reading);
}
