/**
 * Events of a node that follow each other in its counting, and that it served to its sessions itself,
 * because Redis had not said in time that it has them. Redis may have taken them nevertheless: whoever
 * received them says so with its position, and is not given them again from the mailbox.
 */
export interface Run {
  from: number;
  to: number;
  /** False: not all of them were served. */
  exact: boolean;
}

export interface Served {
  readonly runs: readonly Run[];
  /** By Redis' clock: after that it executes none of the calls that carried them. */
  readonly until: number;
}

/** Runs in a position: what is more is told less exactly. */
export const MOST_RUNS = 8;

/** What follows a position: `!<until>`, and for each run `.<from>-<to>`, or with `~` if inexact. */
export function formatServed({ runs, until }: Served): string {
  if (runs.length === 0) return '';
  const texts = runs.map(({ from, to, exact }) => `${exact ? '.' : '~'}${from}-${to}`);
  return `!${until}${texts.join('')}`;
}

/** @returns undefined for what no node wrote */
export function parseServed(text: string): Served | undefined {
  const match = /^(\d{1,16})((?:[.~]\d{1,16}-\d{1,16}){1,8})$/.exec(text);
  if (!match) return undefined;
  const runs = Array.from(match[2]!.matchAll(/([.~])(\d+)-(\d+)/g), ([, exact, from, to]) => ({
    exact: exact === '.',
    from: Number(from),
    to: Number(to),
  }));
  return { runs, until: Number(match[1]) };
}

/** @returns the run that an event is in; between its numbers are those of events of other shards */
export function runWith({ runs }: Served, number: number, shards: number): Run | undefined {
  return runs.find(
    ({ from, to }) => from <= number && number <= to && (number - from) % shards === 0,
  );
}

/** Adds an event to runs in order. @param step between two events that follow each other */
export function withEvent(runs: readonly Run[], number: number, step: number): Run[] {
  const merged: Run[] = [];
  const all = [...runs, { from: number, to: number, exact: true }];
  for (const run of all.sort((one, other) => one.from - other.from)) {
    const last = merged.at(-1);
    if (!last || run.from > last.to + step) merged.push({ ...run });
    else {
      last.to = Math.max(last.to, run.to);
      last.exact &&= run.exact;
    }
  }
  if (merged.length > MOST_RUNS) {
    const { to } = merged.pop()!;
    Object.assign(merged.at(-1)!, { to, exact: false });
  }
  return merged;
}
