import type { Load } from './load/driver.js';

/** How much is measured. */
export interface Extent {
  /** Measurements of each candidate; the median counts. */
  rounds: number;
  /** 1, or less for a smoke run: sizes are multiplied by it. */
  scale: number;
  progress(line: string): void;
}

/** What a scenario needs to know of the run. */
export interface Run extends Extent {
  load: Load;
}

/** Numbers by name, of one measurement. */
export type Sample = Record<string, number>;

/** A line of the table. */
export interface Row {
  measure: string;
  unit: string;
  better: 'lower' | 'higher';
  /** Absent where there is nothing to compare with. */
  stock?: number;
  ours: number;
  /** How many times better ours is, where rounds were paired; else it follows from the two numbers. */
  paired?: Interval;
  /** How many times better than stock it is wanted to be; with an interval, all of that. */
  wanted?: number;
  /** Bound that ours is to stay under, in the row's unit. */
  atMost?: number;
}

/** A median and where it lies with 95 % confidence. */
export interface Interval {
  middle: number;
  low: number;
  high: number;
}

/** How many times better ours is than stock, whichever direction is better. */
export function ratio({ better, stock, ours, paired }: Row): number | undefined {
  if (paired) return paired.middle;
  if (stock === undefined) return undefined;
  return better === 'lower' ? stock / ours : ours / stock;
}

/**
 * Measures the candidates in turn, A B A B, so that what else the machine does touches all alike.
 * @param measurements by candidate
 * @returns for each candidate the median of each number
 */
export async function interleave<C extends string>(
  run: Pick<Extent, 'rounds' | 'progress'>,
  title: string,
  measurements: Record<C, () => Promise<Sample>>,
): Promise<Record<C, Sample>> {
  const samples = await inTurn(run, title, measurements);
  return Object.fromEntries(
    Object.entries<Sample[]>(samples).map(([candidate, each]) => [candidate, medians(each)]),
  ) as Record<C, Sample>;
}

/** As `interleave`, each round beginning with the next candidate. @returns the sample of each round */
export async function inTurn<C extends string>(
  run: Pick<Extent, 'rounds' | 'progress'>,
  title: string,
  measurements: Record<C, () => Promise<Sample>>,
): Promise<Record<C, Sample[]>> {
  const candidates = Object.keys(measurements) as C[];
  const samples = Object.fromEntries(candidates.map((name) => [name, [] as Sample[]]));
  for (let round = 1; round <= run.rounds; round++) {
    for (const candidate of candidates) {
      const sample = await measurements[candidate]();
      samples[candidate]!.push(sample);
      run.progress(`${title}, round ${round} of ${run.rounds}, ${candidate}: ${inWords(sample)}`);
    }
    candidates.push(candidates.shift()!);
  }
  return samples as Record<C, Sample[]>;
}

/**
 * The median of paired ratios with its interval by order statistics (that of the sign test): no
 * outlier of a busy machine moves it. Fewer than six pairs say nothing: all of them are the interval.
 */
export function medianInterval(ratios: readonly number[]): Interval {
  const sorted = ratios.toSorted((a, b) => a - b);
  const pairs = sorted.length;
  let outside = 0;
  // The chance that so many, or fewer, of the pairs lie on one side of the true median.
  let chance = 2 ** -pairs;
  for (let sum = chance; sum <= 0.025; sum += chance) {
    outside += 1;
    chance *= (pairs - outside + 1) / outside;
  }
  const at = Math.max(0, outside - 1);
  return { middle: median(sorted), low: sorted[at]!, high: sorted[pairs - 1 - at]! };
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

export function inWords(sample: Sample): string {
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
