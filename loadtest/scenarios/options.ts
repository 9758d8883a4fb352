import type { Options, Scenario } from 'k6/options';
import { connectSeconds, settings } from './settings.ts';

/** What is read out of every run. */
export const STATISTICS = ['count', 'min', 'avg', 'med', 'p(95)', 'p(99)', 'p(99.9)', 'max'];
/** No time series for each address. */
export const SYSTEM_TAGS: NonNullable<Options['systemTags']> = [
  'scenario',
  'name',
  'status',
  'error_code',
  'check',
];
/** Beyond what is planned, for nodes that start and faults that are waited for. */
const SPARE_SECONDS = 120;

/**
 * Options of a scenario whose people are connected all the time.
 * @param thresholds of k6, by metric
 * @param door whether services send over REST when there is no stream; the script exports `send`
 */
export function crowd(thresholds: Readonly<Record<string, string[]>>, door = true): Options {
  const { seconds, settleSeconds, vus } = settings;
  const most = connectSeconds + seconds + settleSeconds + SPARE_SECONDS;
  const people: Scenario = {
    executor: 'per-vu-iterations',
    vus,
    iterations: 1,
    maxDuration: `${Math.ceil(most)}s`,
    gracefulStop: '5s',
  };
  // One VU that sends when it is due: an executor with an arrival rate leaves out what it has no VU for.
  const services: Scenario = {
    executor: 'per-vu-iterations',
    exec: 'send',
    vus: 1,
    iterations: 1,
    startTime: `${connectSeconds}s`,
    maxDuration: `${Math.ceil(seconds + SPARE_SECONDS)}s`,
    gracefulStop: '5s',
  };
  return {
    scenarios: { people, ...(door && settings.door === 'rest' ? { services } : {}) },
    thresholds: { ...thresholds, load_unaccounted: ['count==0'] },
    summaryTrendStats: STATISTICS,
    systemTags: SYSTEM_TAGS,
  };
}

/** Nobody is lost, and nothing of what they were sent. */
export const INTACT = {
  load_not_connected: ['count==0'],
  load_not_back: ['count==0'],
  load_lost: ['count==0'],
  load_doubled: ['count==0'],
  load_out_of_order: ['count==0'],
};

/** Makes k6 tell them apart in the summary; holds always. @param values of the tag */
export function apart(metric: string, tag: string, values: readonly (string | number)[]) {
  return Object.fromEntries(values.map((value) => [`${metric}{${tag}:${value}}`, ['p(99)>=0']]));
}
