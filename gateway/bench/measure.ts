import type { Load } from './load/driver.js';

/** What a scenario needs to know of the run. */
export interface Run {
  load: Load;
  /** Measurements of each candidate; the median counts. */
  rounds: number;
  /** 1, or less for a smoke run: sizes are multiplied by it. */
  scale: number;
  progress(line: string): void;
}

/** Numbers by name, of one measurement. */
export type Sample = Record<string, number>;

/** A line of the table. */
export interface Row {
  measure: string;
  unit: string;
  better: 'lower' | 'higher';
  stock: number;
  ours: number;
  /** How many times better than stock it is wanted to be. */
  wanted?: number;
  /** Bound that ours is to stay under, in the row's unit. */
  atMost?: number;
}

/** How many times better ours is than stock, whichever direction is better. */
export function ratio({ better, stock, ours }: Row): number {
  return better === 'lower' ? stock / ours : ours / stock;
}

/**
 * Measures the candidates in turn, A B A B, so that what else the machine does touches all alike.
 * @param measurements by candidate
 * @returns for each candidate the median of each number
 */
export async function interleave<C extends string>(
  run: Pick<Run, 'rounds' | 'progress'>,
  title: string,
  measurements: Record<C, () => Promise<Sample>>,
): Promise<Record<C, Sample>> {
  const samples = {} as Record<C, Sample[]>;
  for (let round = 1; round <= run.rounds; round++)
    for (const [candidate, measure] of Object.entries(measurements) as [
      C,
      () => Promise<Sample>,
    ][]) {
      const sample = await measure();
      (samples[candidate] ??= []).push(sample);
      run.progress(`${title}, round ${round} of ${run.rounds}, ${candidate}: ${text(sample)}`);
    }
  return Object.fromEntries(
    Object.entries<Sample[]>(samples).map(([candidate, each]) => [candidate, medians(each)]),
  ) as Record<C, Sample>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function medians(samples: Sample[]): Sample {
  return Object.fromEntries(
    Object.keys(samples[0]!).map((name) => [name, median(samples.map((sample) => sample[name]!))]),
  );
}

function text(sample: Sample): string {
  return Object.entries(sample)
    .map(([name, value]) => `${name} ${value.toFixed(2)}`)
    .join(', ');
}

/** `count` user ids that no other call gives. */
export function newUsers(count: number): string[] {
  const batch = nextBatch++;
  return Array.from({ length: count }, (_, index) => `bench-${batch}-${index}`);
}

let nextBatch = 1;
