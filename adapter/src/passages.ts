import type { Past } from './history.js';
import { decodePacket, type Message } from './message.js';
import type { Move } from './move.js';
import { type Place, type Position, compareIds, formatPosition, whole } from './position.js';
import type { Part } from './questions.js';
import { Unrecoverable } from './refusal.js';
import { runWith } from './served.js';
import type { Shard } from './shard.js';
import { type Stays, membershipOf } from './stays.js';

/** What a session missed of one mailbox. */
export interface Stretch extends Part {
  readonly shard: Shard;
  /** Found in another node's mailbox; this node's own are in its history. */
  events?: readonly Past[] | undefined;
}

/** What a session missed of a station. */
export interface Passage {
  readonly node: string;
  readonly from: readonly Place[];
  readonly stretches: readonly Stretch[];
}

/** What it missed, station by station: not found yet. @throws Unrecoverable */
export function passagesOf(
  shards: readonly Shard[],
  namespace: string,
  { stations, number, arrivals }: Move,
  stays: Stays,
  after: Position,
): Passage[] {
  const first = stations.findLastIndex(
    ({ node, from, to }) =>
      node === after.node &&
      after.places.every(
        ({ id }, index) => compareIds(id, from[index]!) >= 0 && compareIds(id, to[index]!) <= 0,
      ),
  );
  if (first === -1) throw new Unrecoverable('position');
  // The first ones may have been forgotten: they are counted nevertheless.
  const numberOf = (index: number) => number - (stations.length - 1) + index;
  return stations.slice(first).map(({ node, from: begin, to }, nth) => {
    const from = nth === 0 ? after.places : begin.map(whole);
    const stretches: Stretch[] = [];
    for (const [index, shard] of shards.entries()) {
      const { proven, trimmed, nodes } = arrivals[index]!;
      const upTo = to[index]!;
      // What was sent until then it has received, or its offset would not name what came before.
      if (Number.parseInt(upTo, 10) < proven) continue;
      let start = from[index]!;
      const limit = trimmed.get(node);
      if (limit !== undefined && compareIds(start.id, limit) < 0) {
        if (Number.parseInt(limit, 10) >= proven) throw new Unrecoverable('trimmed');
        start = whole(limit);
      }
      if (start.id === upTo) continue;
      if (!nodes.has(node)) throw new Unrecoverable('node');
      const station = numberOf(first + nth);
      const ofStation = membershipOf(stays, station, index);
      stretches.push({ shard, namespace, rooms: ofStation, after: start, upTo });
    }
    return { node, from, stretches };
  });
}

/** An event that a session missed, with a position to come back with when it is the last. */
export interface Missed {
  readonly message: Message;
  readonly offset: string;
}

/** Name and arguments, the offset last. */
export function argumentsOf({ message, offset }: Missed): unknown[] {
  const { data } = decodePacket(`${message.text.toString()}]`, message.attachments);
  return [...(data as unknown[]), offset];
}

export function missedOf({ node, from, stretches }: Passage, after: Position): Missed[] {
  const found = stretches.flatMap((stretch) =>
    eventsOf(stretch)
      .filter(({ message }) => !wasServed(message, after))
      .map((past) => ({ at: stretch.shard.index, past })),
  );
  // Each shard keeps its order; between them the clocks decide.
  if (stretches.length > 1)
    found.sort((a, b) => Number.parseInt(a.past.id, 10) - Number.parseInt(b.past.id, 10));
  const places = [...from];
  const served = node === after.node && after.served ? { served: after.served } : {};
  return found.map(({ at, past: { id, index, message } }) => {
    places[at] = { id, index };
    return { message, offset: formatPosition({ node, places, ...served }) };
  });
}

/** Whether it was received, though not from a mailbox. @throws Unrecoverable when that is not known */
function wasServed({ publisher, number }: Message, { node, places, served }: Position): boolean {
  if (!served || publisher !== Number(node)) return false;
  const run = runWith(served, number, places.length);
  if (run && !run.exact) throw new Unrecoverable('ambiguous');
  return run !== undefined;
}

function eventsOf({ shard, namespace, rooms, after, upTo, events }: Stretch): readonly Past[] {
  if (events) return events;
  const { dropped } = shard.history;
  if (dropped !== undefined && compareIds(after.id, dropped) < 0)
    throw new Unrecoverable('trimmed');
  return shard.history.between(namespace, rooms, after, upTo);
}
