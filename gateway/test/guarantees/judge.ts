/** What a session received between two times that it was told `recovered: false`. */
export interface Life {
  /** Whose session it is. */
  readonly member: number;
  /** Numbers of entries in the order of their coming, beside how long each took from its XADD, in ms. */
  readonly received: { number: number; waited: number }[];
  /** Whether it still lived when all was over: it is owed the last entry too. */
  atEnd: boolean;
}

export interface Verdict {
  deliveries: number;
  lost: number;
  doubled: number;
  outOfOrder: number;
  /** The longest time from an entry's XADD to its delivery by a node that never stood still, in ms. */
  longestMs: number;
}

/**
 * Decides what was lost, doubled and out of order.
 * @param last number of the last entry written for each member; they count from 0
 */
export function judge(lives: readonly Life[], last: ReadonlyMap<number, number>): Verdict {
  const verdict = { deliveries: 0, lost: 0, doubled: 0, outOfOrder: 0, longestMs: 0 };
  const begun = new Set<number>();
  for (const { member, received, atEnd } of lives) {
    verdict.deliveries += received.length;
    const seen = new Set<number>();
    // Only the first life is owed all: a later one begins where it begins, if it does.
    const from = begun.has(member) ? received[0]?.number : 0;
    if (from === undefined) continue;
    begun.add(member);
    let highest = from - 1;
    for (const { number, waited } of received) {
      if (seen.has(number)) verdict.doubled++;
      else if (number < highest) verdict.outOfOrder++;
      seen.add(number);
      highest = Math.max(highest, number);
      verdict.longestMs = Math.max(verdict.longestMs, waited);
    }
    const to = atEnd ? (last.get(member) ?? -1) : highest;
    for (let number = from; number <= to; number++) if (!seen.has(number)) verdict.lost++;
  }
  return verdict;
}
