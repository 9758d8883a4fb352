import { setTimeout as sleep } from 'node:timers/promises';
import type { Prometheus } from './prometheus.ts';

/** Names of alerts that fire now. */
export async function firing(prometheus: Prometheus): Promise<Set<string>> {
  return names(prometheus, 'ALERTS{alertstate="firing"}');
}

/** Names of alerts that fired at any time of the last seconds. */
export async function fired(prometheus: Prometheus, seconds: number): Promise<Set<string>> {
  return names(prometheus, `max_over_time(ALERTS{alertstate="firing"}[${Math.ceil(seconds)}s])`);
}

async function names(prometheus: Prometheus, query: string): Promise<Set<string>> {
  const series = await prometheus.now(`count by (alertname) (${query})`);
  return new Set(series.map(({ metric }) => metric['alertname'] ?? ''));
}

/** Asks again and again until it is so. @returns seconds that it took; undefined: it did not come */
export async function until(
  isSo: () => Promise<boolean>,
  seconds: number,
): Promise<number | undefined> {
  const start = performance.now();
  while (!(await isSo())) {
    if (performance.now() - start > seconds * 1000) return undefined;
    await sleep(250);
  }
  return (performance.now() - start) / 1000;
}
