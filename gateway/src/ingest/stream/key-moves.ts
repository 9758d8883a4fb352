import { orderingKey, partitionOf } from '@streamgate/protocol/stream';
import type { Entry } from './partition-reader.js';

/** Writers look up how many partitions there are at least as often, in ms. */
export const WRITERS_LAG_MS = 10_000;

/** From when on writers were told to go by a number of partitions. */
interface Era {
  /** Milliseconds since the epoch by Redis' clock. */
  readonly from: number;
  readonly partitions: number;
}

/** What must have been executed elsewhere before an entry. */
interface Wait {
  readonly partition: number;
  /** All that was written there up to then, in ms since the epoch. */
  readonly until: number;
}

/**
 * Keeps the order of a key that a change of the number of partitions moves from one to another: what
 * was written to the old one before is executed first. An entry waits only for what is older (or as
 * old, in a higher partition), so nobody waits in a circle.
 */
export class KeyMoves {
  private text = '';
  private eras: readonly Era[] = [];

  /** @param oldestOf when the oldest entry of each partition was written, in ms; -1: it is empty */
  constructor(
    private readonly partition: number,
    private readonly oldestOf: (partitions: readonly number[]) => Promise<readonly number[]>,
  ) {}

  /** @param text `<ms>:<partitions>` separated by blanks, oldest first */
  learn(text: string): void {
    if (text === this.text) return;
    this.text = text;
    this.eras = text
      .split(' ')
      .filter(Boolean)
      .map((era) => era.split(':').map(Number) as [number, number])
      .map(([from, partitions]) => ({ from, partitions }));
  }

  /** How many of these entries, from the first on, may be executed now. */
  async ready(entries: readonly Entry[]): Promise<number> {
    if (this.eras.length < 2) return entries.length;
    const waits = entries.map((entry) => this.waitsOf(entry));
    const partitions = [...new Set(waits.flat().map(({ partition }) => partition))];
    if (partitions.length === 0) return entries.length;
    const times = await this.oldestOf(partitions);
    const oldest = new Map(partitions.map((partition, index) => [partition, times[index]!]));
    const isOver = ({ partition, until }: Wait) => {
      const time = oldest.get(partition)!;
      return time < 0 || time > until || (time === until && this.partition < partition);
    };
    const first = waits.findIndex((each) => !each.every(isOver));
    return first < 0 ? entries.length : first;
  }

  private waitsOf({ id, fields }: Entry): Wait[] {
    const key = orderingKey(fields);
    const homes = this.eras.map(({ partitions }) => partitionOf(key, partitions));
    // Written by the newest number that leads here; by none: its writer does not care.
    const written = homes.lastIndexOf(this.partition);
    const at = Number.parseInt(id, 10);
    return homes.slice(0, Math.max(0, written)).flatMap((partition, index) => {
      if (partition === this.partition) return [];
      const last = this.eras[index + 1]!.from + WRITERS_LAG_MS;
      return [{ partition, until: Math.min(at, last) }];
    });
  }
}
