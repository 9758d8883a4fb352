import { setImmediate } from 'node:timers/promises';

/**
 * Preloaded (`--import`) into the server that is measured: answers over IPC what the process has
 * used so far, after a full collection when asked for one.
 */

export interface Reading {
  /** User and system time of the process since its start, garbage collector included. */
  cpuMicros: number;
  heapUsedBytes: number;
  rssBytes: number;
}

export interface ProbeRequest {
  collect: boolean;
}

process.on('message', ({ collect }: ProbeRequest) => {
  void answer(collect);
});
// The probe must not keep the program alive.
process.channel?.unref();

async function answer(collect: boolean): Promise<void> {
  // Finalizers of one collection free what the next one finds.
  for (let round = 0; collect && round < 4; round++) {
    globalThis.gc?.();
    await setImmediate();
  }
  const { user, system } = process.cpuUsage();
  const { heapUsed, rss } = process.memoryUsage();
  const reading: Reading = { cpuMicros: user + system, heapUsedBytes: heapUsed, rssBytes: rss };
  process.send?.(reading);
}
