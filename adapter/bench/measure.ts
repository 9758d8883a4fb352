import { type Extent, type Sample, inWords } from '../../gateway/bench/measure.ts';
import { type Candidate, candidates } from './cluster.ts';

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
  run: Extent,
  title: string,
  measure: (kind: Candidate) => Promise<Sample>,
): Promise<Samples> {
  for (const kind of candidates) await measure(kind);
  const samples: Samples = { streams: [], mailbox: [] };
  for (let round = 1; round <= run.rounds; round++)
    for (const kind of round % 2 === 1 ? candidates : candidates.toReversed()) {
      const sample = await measure(kind);
      samples[kind].push(sample);
      run.progress(`${title}, round ${round} of ${run.rounds}, ${kind}: ${inWords(sample)}`);
    }
  return samples;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
