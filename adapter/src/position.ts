/** The id of a stream's entry, `<ms>-<seq>`. Ids of one stream grow. */
export type EntryId = string;

/** Before every entry. */
export const START: EntryId = '0-0';

/** An index behind every event of an entry. */
export const WHOLE = 2 ** 31;

/** A place in the mailbox of a node: behind one event of an entry, or behind the whole entry. */
export interface Position {
  readonly node: string;
  readonly id: EntryId;
  /** Which event of the entry; `WHOLE`: behind all of it. */
  readonly index: number;
}

/** As clients are given it: `<node>.<entry>.<event>`, without the event for a whole entry. */
export function formatPosition({ node, id, index }: Position): string {
  return index === WHOLE ? `${node}.${id}` : `${node}.${id}.${index}`;
}

/** @returns undefined for what no node wrote */
export function parsePosition(text: string): Position | undefined {
  const match = /^(\d{1,16})\.(\d{1,16}-\d{1,16})(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) return undefined;
  const [, node = '', id = '', index] = match;
  return { node, id, index: index === undefined ? WHOLE : Number(index) };
}

/** Negative: `a` is before `b`; 0: the same. */
export function compareIds(a: EntryId, b: EntryId): number {
  const endA = a.indexOf('-');
  const endB = b.indexOf('-');
  return (
    Number(a.slice(0, endA)) - Number(b.slice(0, endB)) ||
    Number(a.slice(endA + 1)) - Number(b.slice(endB + 1))
  );
}

/** The smallest id behind `id`. */
export function following(id: EntryId): EntryId {
  const end = id.indexOf('-');
  return `${id.slice(0, end)}-${Number(id.slice(end + 1)) + 1}`;
}
