import { type Candidate, candidates } from './cluster.ts';

/** What a scenario needs to know of the run. */
export interface Run {
  /** Measurements of each candidate; medians count. */
  rounds: number;
  /** 1, or less for a smoke run: sizes are multiplied by it. */
  scale: number;
  progress(line: string): void;
}

/** Numbers by name, of one measurement. */
export type Sample = Record<string, number>;

/** What was measured, by candidate and round. */
export type Samples = Record<Candidate, Sample[]>;

/** The same for stock and for ours, one after the other. */
export async function both<T>(
  make: (kind: Candidate) => Promise<T>,
): Promise<Record<Candidate, T>> {
  return { streams: await make('streams'), mailbox: await make('mailbox') };
}

/**
 * Measures both in turn, the one that begins alternating (A B, B A, …), so that what else the machine
 * does touches both alike. A first round is not counted: then both are compiled.
 */
export async function interleave(
  run: Run,
  title: string,
  measure: (kind: Candidate) => Promise<Sample>,
): Promise<Samples> {
  for (const kind of candidates) await measure(kind);
  const samples: Samples = { streams: [], mailbox: [] };
  for (let round = 1; round <= run.rounds; round++)
    for (const kind of round % 2 === 1 ? candidates : candidates.toReversed()) {
      const sample = await measure(kind);
      samples[kind].push(sample);
      run.progress(`${title}, round ${round} of ${run.rounds}, ${kind}: ${text(sample)}`);
    }
  return samples;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function text(sample: Sample): string {
  return Object.entries(sample)
    .map(([name, value]) => `${name} ${value.toFixed(2)}`)
    .join(', ');
}
