import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Outcome } from './measured.ts';

/** Events a second for each session: one in five seconds. */
export const EVENTS_PER_SESSION = 0.2;
/** Between what is carried and what is not, as a share: then it is known well enough. */
const NEAR = 0.15;

export interface Capacity {
  /** The most that one node carried within the SLO; 0 when not even the first size. */
  readonly sessions: number;
  readonly eventsPerSecond: number;
  /** What ended the search. `load generator`: the node may carry more. */
  readonly limitedBy: 'gateway' | 'load generator' | 'end of the search';
  /** In the order in which they were tried. */
  readonly tries: readonly Outcome[];
}

export interface Extent {
  /** Sessions to begin with. */
  readonly first: number;
  /** Sessions to end with. */
  readonly most: number;
  /** Sizes that are tried at most. */
  readonly tries: number;
}

/**
 * Finds the most sessions that are carried: doubles until it is too much, then halves what is left between.
 * @param attempt puts a size on a node
 */
export async function search(
  { first, most, tries: mostTries }: Extent,
  attempt: (sessions: number) => Promise<Outcome>,
): Promise<Capacity> {
  const tries: Outcome[] = [];
  let carried = 0;
  let tooMuch = Infinity;
  let limitedBy: Capacity['limitedBy'] = 'end of the search';
  for (let sessions = first; tries.length < mostTries;) {
    const outcome = await attempt(sessions);
    tries.push(outcome);
    if (outcome.verdict === 'passed') carried = sessions;
    else {
      tooMuch = sessions;
      limitedBy = outcome.verdict === 'invalid' ? 'load generator' : 'gateway';
    }
    const isNear = tooMuch !== Infinity && tooMuch - carried <= NEAR * tooMuch;
    if (carried >= most || isNear) break;
    sessions =
      tooMuch === Infinity ? Math.min(most, carried * 2) : Math.round((carried + tooMuch) / 2);
    if (sessions < 1) break;
  }
  return { sessions: carried, eventsPerSecond: carried * EVENTS_PER_SESSION, limitedBy, tries };
}

/** The search as one outcome: the largest run that passed, or the last one. */
export function summed({ sessions, eventsPerSecond, limitedBy, tries }: Capacity): Outcome {
  const best = tries.findLast((each) => each.sessions === sessions && each.verdict === 'passed');
  const shown = best ?? tries.at(-1)!;
  return {
    ...shown,
    figures: [
      { name: 'Sessions that one node carries', unit: '', value: sessions, better: 'higher' },
      { name: 'Events a second with them', unit: 'events/s', value: eventsPerSecond },
      { name: `Tries; the last bound was the ${limitedBy}`, unit: '', value: tries.length },
      ...shown.figures,
    ],
  };
}

/** Writes what the chart's autoscaling wants, to be given to `helm upgrade -f`; nothing when nothing was carried. */
export function writeValues(dir: string, { sessions, limitedBy }: Capacity): void {
  if (sessions === 0) return;
  const note =
    limitedBy === 'gateway'
      ? 'What one node carried within the SLO'
      : `At least that: what ended the search was the ${limitedBy}`;
  writeFileSync(
    join(dir, 'capacity-values.yaml'),
    `# ${note} (docs/load-testing.md).\nautoscaling:\n  metric: sessions\n  sessionsPerPod: ${sessions}\n`,
  );
}
