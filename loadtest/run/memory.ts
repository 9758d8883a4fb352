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

const COLLECT_MS = 500;
/** Of nodes without people: what they do then they do each second. */
export const ALONE_MS = 5000;
/** Of both gateways. Whoever is connected at the beginning of a time as long has one heartbeat in it. */
export const HEARTBEAT_SECONDS = 25;

/** What nodes have after a collection of garbage, and use in `ms` in which nobody asks anything of them. */
export async function usageOf({ cluster }: Stage, ms: number): Promise<Usage> {
  const nodes = cluster?.nodes ?? [];
  for (const { process: node } of nodes) node.kill('SIGUSR2');
  await sleep(COLLECT_MS);
  const look = () => nodes.map(({ process: { pid } }) => processTimes(pid!));
  const sum = (values: readonly (number | undefined)[]) =>
    values.reduce<number>((all, value) => all + (value ?? Number.NaN), 0);
  const before = look();
  await sleep(ms);
  const after = look();
  const own = await Promise.all(
    nodes.map(({ managementUrl }) => scrape(`${managementUrl}/metrics`)),
  );
  const cpuSeconds = (each: typeof before) => sum(each.map((node) => node?.cpuSeconds));
  return {
    residentBytes: sum(after.map((node) => node?.rssBytes)),
    heapBytes: sum(own.map((each) => each['heapBytes'])),
    cpu: (cpuSeconds(after) - cpuSeconds(before)) / (ms / 1000),
  };
}
