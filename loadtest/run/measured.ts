import type { Sample } from './samples.ts';

/** Whom the load is put on. */
export type Candidate = 'streamgate' | 'stock' | 'target';

/** Something that had to be so. */
export interface Check {
  readonly name: string;
  readonly isMet: boolean;
  /** What was seen, for people. */
  readonly seen: string;
}

/** A number that the scenario asks for. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** Undefined: it could not be seen of this candidate. */
  readonly value: number | undefined;
  /** Absent where neither is better. */
  readonly better?: 'lower' | 'higher';
}

/** Statistics of a metric of k6 by name: `count`, `p(99)`, … */
export type Statistics = Readonly<Record<string, number>>;

/** All that one run has seen. */
export interface Measured {
  readonly candidate: Candidate;
  readonly sessions: number;
  readonly seconds: number;
  /** Events a second that were meant to be sent, one after the other. */
  readonly rates: readonly number[];
  /** Of k6, by name; with tags as `name{tag:value}`. */
  readonly metrics: Readonly<Record<string, Statistics>>;
  /** Once a second while people were connected. */
  readonly samples: readonly Sample[];
  /** When the load had ended, in seconds of the samples; after it k6 settles and ends. */
  readonly loadEnds: number;
  /** What the runner itself has seen, by name. */
  readonly facts: Readonly<Record<string, number>>;
}

/** Samples of seconds that the load filled, from one of its rates or from all. @param step from 0 */
export function duringLoad(
  {
    samples,
    seconds,
    rates,
    loadEnds,
  }: Pick<Measured, 'samples' | 'seconds' | 'rates' | 'loadEnds'>,
  step?: number,
): Sample[] {
  const length = seconds / rates.length;
  const stepAt = (second: number) => Math.min(rates.length - 1, Math.floor(second / length));
  // A sample is of the second before it.
  return samples.filter(
    ({ second }) =>
      second >= 1 && second <= loadEnds && (step === undefined || stepAt(second - 0.5) === step),
  );
}

export type Verdict = 'passed' | 'failed' | 'invalid';

/** One run, judged. */
export interface Outcome extends Measured {
  readonly verdict: Verdict;
  readonly figures: readonly Figure[];
  readonly checks: readonly Check[];
  /** Why the numbers are not the gateway's; empty when they are. */
  readonly invalid: readonly string[];
}

/** A statistic of k6, undefined when there is none. */
export function statistic(
  { metrics }: Pick<Measured, 'metrics'>,
  metric: string,
  name: string,
): number | undefined {
  return metrics[metric]?.[name];
}
