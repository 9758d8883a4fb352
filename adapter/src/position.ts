import { type Served, formatServed, parseServed } from './served.js';

/** The id of a stream's entry, `<ms>-<seq>`. Ids of one stream grow. */
export type EntryId = string;

/** Before every entry. */
export const START: EntryId = '0-0';

/** An index behind every event of an entry. */
export const WHOLE = 2 ** 31;

/** A place in a mailbox: behind one event of an entry, or behind the whole entry. */
export interface Place {
  readonly id: EntryId;
  /** Which event of the entry; `WHOLE`: behind all of it. */
  readonly index: number;
}

/** How far a session has got on a node: a place in each of its mailboxes, by shard. */
export interface Position {
  readonly node: string;
  readonly places: readonly Place[];
  /** What the node served by itself before it gave out the position, if it may still be in its mailboxes. */
  readonly served?: Served;
}

/**
 * As clients are given it. Of one shard: `<node>.<entry>.<event>`, without the event for a whole
 * entry. Of several, one after the other and in base 36: `<node>.<entry>+<event>.<entry>`.
 */
export function formatPosition({ node, places, served }: Position): string {
  const tail = served ? formatServed(served) : '';
  if (places.length > 1) return `${node}${places.map(formatPlace).join('')}${tail}`;
  const { id, index } = places[0]!;
  return `${node}.${id}${index === WHOLE ? '' : `.${index}`}${tail}`;
}

/** One shard's part of the position, where there are several. */
export function formatPlace({ id, index }: Place): string {
  const text = `.${id.split('-').map(toBase36).join('-')}`;
  return index === WHOLE ? text : `${text}+${index.toString(36)}`;
}

/** @returns undefined for what no node with so many shards wrote */
export function parsePosition(text: string, shards: number): Position | undefined {
  const [begin = '', ...more] = text.split('!', shards + 2);
  const position = shards === 1 ? parseSingle(begin) : parseVector(begin, shards);
  if (!position || more.length === 0) return position;
  const parts = more.map(parseServed);
  if (parts.length > shards || !parts.every((part) => part !== undefined)) return undefined;
  const runs = parts.flatMap((part) => part.runs);
  return { ...position, served: { runs, until: Math.max(...parts.map(({ until }) => until)) } };
}

function parseSingle(text: string): Position | undefined {
  const match = /^(\d{1,16})\.(\d{1,16}-\d{1,16})(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) return undefined;
  const [, node = '', id = '', index] = match;
  return { node, places: [{ id, index: index === undefined ? WHOLE : Number(index) }] };
}

function parseVector(text: string, shards: number): Position | undefined {
  const [node = '', ...parts] = text.split('.', shards + 2);
  if (parts.length !== shards || !/^\d{1,16}$/.test(node)) return undefined;
  const places: Place[] = [];
  for (const part of parts) {
    const match = /^([\da-z]{1,10})-([\da-z]{1,10})(?:\+([\da-z]{1,5}))?$/.exec(part);
    if (!match) return undefined;
    const [, ms = '', seq = '', index] = match;
    const id = `${Number.parseInt(ms, 36)}-${Number.parseInt(seq, 36)}`;
    places.push({ id, index: index === undefined ? WHOLE : Number.parseInt(index, 36) });
  }
  return { node, places };
}

/** Entries of all shards as records hold them; of one shard its entry. */
export function formatEntries(ids: readonly EntryId[]): string {
  return ids.length === 1 ? ids[0]! : ids.join(',');
}

export function parseEntries(text: string): EntryId[] {
  return text.split(',');
}

/** Milliseconds, and which of those. */
export function numbersOf(id: EntryId): [time: number, count: number] {
  const end = id.indexOf('-');
  return [Number(id.slice(0, end)), Number(id.slice(end + 1))];
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

export function comparePlaces(a: Place, b: Place): number {
  return compareIds(a.id, b.id) || a.index - b.index;
}

/** Behind all of an entry. */
export function whole(id: EntryId): Place {
  return { id, index: WHOLE };
}

/** The one that is behind the other; undefined is before all. */
export function later(a: EntryId | null | undefined, b: EntryId): EntryId {
  return a && compareIds(a, b) > 0 ? a : b;
}

/** The smallest id behind `id`. */
export function following(id: EntryId): EntryId {
  const end = id.indexOf('-');
  return `${id.slice(0, end)}-${Number(id.slice(end + 1)) + 1}`;
}

function toBase36(number: string): string {
  return Number(number).toString(36);
}
