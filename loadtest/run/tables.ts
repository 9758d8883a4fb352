import { median } from '../../gateway/bench/measure.ts';
import { aligned, shown } from '../../gateway/bench/program.ts';
import type { Candidate, Figure, Outcome } from './measured.ts';

/** What came of one scenario, on one candidate or in turns on several. */
export interface Result {
  readonly name: string;
  readonly asks: string;
  readonly outcomes: readonly Outcome[];
}

const NAMES: Readonly<Record<Candidate, string>> = {
  streamgate: 'Streamgate',
  stock: 'stock Nest',
  target: 'the deployment',
};

/** Markdown: what was asked, what was seen, what had to be so, and whether it counts. */
export function section({ name, asks, outcomes }: Result): string {
  const parts = [`## ${name}`, asks, verdicts(outcomes), figures(outcomes).join('\n')];
  for (const outcome of outcomes.filter(({ candidate }) => candidate !== 'stock'))
    parts.push(checks(outcome).join('\n'));
  return parts.join('\n\n');
}

/** A line for each run: whether it counts, and why not. */
export function verdicts(outcomes: readonly Outcome[]): string {
  return outcomes
    .map(({ candidate, verdict, invalid, sessions, seconds }) => {
      const why = verdict === 'invalid' ? `: ${invalid.join('; ')}` : '';
      return `- ${NAMES[candidate]}: **${verdict}**, ${sessions} sessions, ${seconds} s${why}`;
    })
    .join('\n');
}

/** Rows of the table of those scenarios in which every candidate has a round that counts: the first column is its name. */
export function compared(results: readonly Result[]): string[] {
  const rows = results
    .filter(({ outcomes }) => isValid(outcomes))
    .flatMap(({ name, outcomes }) => rowsOf(outcomes).map((row) => [name, ...row]));
  return aligned(['scenario', ...head(['stock', 'streamgate'])], rows);
}

function figures(outcomes: readonly Outcome[]): string[] {
  return aligned(head(candidatesOf(outcomes)), rowsOf(outcomes));
}

function head(candidates: readonly Candidate[]): string[] {
  const both = candidates.length > 1 ? ['times better'] : [];
  return ['measure', ...candidates.map((candidate) => NAMES[candidate]), ...both];
}

function rowsOf(outcomes: readonly Outcome[]): string[][] {
  const candidates = candidatesOf(outcomes);
  const names = [...new Set(outcomes.flatMap((each) => each.figures.map(({ name }) => name)))];
  return names.map((name) => {
    const seen = candidates.map((candidate) => middle(outcomes, candidate, name));
    const cells = seen.map((figure, index) =>
      figure ? quantity(figure) + (hasValid(outcomes, candidates[index]!) ? '' : ' (invalid)') : '',
    );
    return [
      name,
      ...cells,
      ...(candidates.length > 1 ? [isValid(outcomes) ? times(seen) : ''] : []),
    ];
  });
}

/** Stock first, as in the other tables. */
function candidatesOf(outcomes: readonly Outcome[]): Candidate[] {
  return [...new Set(outcomes.map(({ candidate }) => candidate))].toSorted();
}

/** Whether a round of it says something about the gateway. */
function hasValid(outcomes: readonly Outcome[], candidate: Candidate): boolean {
  return outcomes.some((each) => each.candidate === candidate && each.verdict !== 'invalid');
}

/** Whether every candidate has a round that counts. */
export function isValid(outcomes: readonly Outcome[]): boolean {
  return candidatesOf(outcomes).every((candidate) => hasValid(outcomes, candidate));
}

/** Exit status: 1 when ours failed, 3 when a round says nothing about its gateway. The stock gateway may fail. */
export function statusOf(results: readonly Result[]): number {
  const outcomes = results.flatMap((each) => each.outcomes);
  if (outcomes.some(({ candidate, verdict }) => candidate !== 'stock' && verdict === 'failed'))
    return 1;
  return outcomes.some(({ verdict }) => verdict === 'invalid') ? 3 : 0;
}

/** The median of the rounds that are not invalid; of all where there is no other. */
function middle(
  outcomes: readonly Outcome[],
  candidate: Candidate,
  name: string,
): Figure | undefined {
  const counts = hasValid(outcomes, candidate);
  const rounds = outcomes
    .filter((each) => each.candidate === candidate && !(counts && each.verdict === 'invalid'))
    .flatMap((outcome) => outcome.figures.filter((figure) => figure.name === name));
  const values = rounds.flatMap(({ value }) =>
    value === undefined || Number.isNaN(value) ? [] : [value],
  );
  return rounds[0] && { ...rounds[0], value: values.length > 0 ? median(values) : undefined };
}

/** How many times better ours is, whichever direction is better. */
function times([stock, ours]: readonly (Figure | undefined)[]): string {
  if (!stock?.value || !ours?.value || !ours.better) return '';
  const ratio = ours.better === 'lower' ? stock.value / ours.value : ours.value / stock.value;
  return ratio > 0 ? `${ratio.toFixed(2)}x` : '';
}

function quantity({ value, unit }: Figure): string {
  return value === undefined ? 'not seen' : `${shown(value)} ${unit}`.trim();
}

function checks({ checks: all }: Outcome): string[] {
  return aligned(
    ['has to be', 'seen', 'met'],
    all.map(({ name, seen, isMet }) => [name, seen, isMet ? 'yes' : '**no**']),
  );
}
