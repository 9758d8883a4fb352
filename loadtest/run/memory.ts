import { setTimeout as sleep } from 'node:timers/promises';
import { processTimes, scrape } from './samples.ts';
import type { Stage } from './stage.ts';

/** All nodes together. */
export interface Usage {
  readonly residentBytes: number;
  /** NaN of nodes without metrics. */
  readonly heapBytes: number;
  /** Processors while nothing happened. */
  readonly cpu: number;
}

const WATCH_MS = 3000;
const COLLECT_MS = 500;

/** What nodes have after a collection of garbage, and use while nobody asks anything of them. */
export async function usageOf({ cluster }: Stage): Promise<Usage> {
  const nodes = cluster?.nodes ?? [];
  for (const { process: node } of nodes) node.kill('SIGUSR2');
  await sleep(COLLECT_MS);
  const look = () => nodes.map(({ process: { pid } }) => processTimes(pid!));
  const sum = (values: readonly (number | undefined)[]) =>
    values.reduce<number>((all, value) => all + (value ?? Number.NaN), 0);
  const before = look();
  await sleep(WATCH_MS);
  const after = look();
  const own = await Promise.all(
    nodes.map(({ managementUrl }) => scrape(`${managementUrl}/metrics`)),
  );
  const cpuSeconds = (each: typeof before) => sum(each.map((node) => node?.cpuSeconds));
  return {
    residentBytes: sum(after.map((node) => node?.rssBytes)),
    heapBytes: sum(own.map((each) => each['heapBytes'])),
    cpu: (cpuSeconds(after) - cpuSeconds(before)) / (WATCH_MS / 1000),
  };
}
