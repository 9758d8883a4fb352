import type { Membership, Stay } from './history.js';
import { type Place, comparePlaces, parseEntries, whole } from './position.js';
import { type Relocation, concerns } from './relocations.js';

/** When a session came into a room, or left it: at a station of its, and where in each mailbox there. */
interface Edge {
  readonly station: number;
  readonly places: readonly Place[];
}

/** Undefined: since it began; it still is. */
interface RoomStay {
  readonly since?: Edge;
  readonly until?: Edge;
}

/** Rooms of a session, each with when it was in there; the last stay may still go on. */
export type Stays = Map<string, readonly RoomStay[]>;

/** @param rooms each with since when, as in a record: empty, or station and entries in its mailboxes */
export function staysOf(rooms: readonly (readonly [room: string, since: string])[]): Stays {
  return new Map(
    rooms.map(([room, since]) => {
      const [number = '', ids = ''] = since.split(' ');
      const edge = { station: Number(number), places: parseEntries(ids).map(placeOf) };
      return [room, [since === '' ? {} : { since: edge }]];
    }),
  );
}

/** An entry, or a place in one. */
function placeOf(text: string): Place {
  const [id = '', index] = text.split('.');
  return index === undefined ? whole(id) : { id, index: Number(index) };
}

/** What was done to a session whose record does not say it. */
export interface Changes {
  readonly hasLeft: boolean;
  /** If it has left none: each room and since when, as records hold it. */
  readonly joined: readonly (readonly [room: string, since: string])[];
}

/** @param before rooms that the record has */
export function changesOf(stays: Stays, before: readonly string[]): Changes {
  if ([...stays.values()].some((of) => of.some(({ until }) => until)))
    return { hasLeft: true, joined: [] };
  const had = new Set(before);
  const joined = roomsOf(stays)
    .filter((room) => !had.has(room))
    .map((room) => {
      const { station, places } = stays.get(room)!.at(-1)!.since!;
      const { id, index } = places[0]!;
      return [room, `${station} ${id}.${index}`] as const;
    });
  return { hasLeft: false, joined };
}

/** Rooms that it is in after all. */
export function roomsOf(stays: Stays): string[] {
  return [...stays.keys()].filter((room) => isIn(stays, room));
}

export function isIn(stays: Stays, room: string): boolean {
  const last = stays.get(room)?.at(-1);
  return last !== undefined && !last.until;
}

/**
 * Does to a session what its node had not done yet, where there is one shard.
 * @param station the last one
 * @param shard where the relocations stand
 * @returns whether there was anything; `end`: it is to end
 */
export function replay(
  stays: Stays,
  relocations: readonly Relocation[],
  station: number,
  shard: number,
): boolean | 'end' {
  let isChanged = false;
  /** The record may say already what comes later. */
  const wasIn = (room: string, place: Place) => {
    const since = stays.get(room)?.at(-1)?.since;
    const isLater = since?.station === station && comparePlaces(since.places[shard]!, place) >= 0;
    return isIn(stays, room) && !isLater;
  };
  for (const relocation of relocations) {
    if (!concerns(relocation, (room) => wasIn(room, relocation))) continue;
    const { id, index, action } = relocation;
    const edge = { station, places: [{ id, index }] };
    if (action === 'end') return 'end';
    for (const room of relocation.rooms) {
      if (action === 'join' ? isIn(stays, room) : !wasIn(room, relocation)) continue;
      isChanged = true;
      const before = stays.get(room) ?? [];
      if (action === 'join') stays.set(room, [...before, { since: edge }]);
      else stays.set(room, [...before.slice(0, -1), { ...before.at(-1), until: edge }]);
    }
  }
  return isChanged;
}

/** The same in one mailbox of one station. */
export function membershipOf(stays: Stays, station: number, shard: number): Membership {
  const membership = new Map<string, Stay[]>();
  for (const [room, of] of stays) {
    const there = of
      .filter(
        ({ since, until }) =>
          !(since && since.station > station) && !(until && until.station < station),
      )
      .map(({ since, until }) => ({
        since: since?.station === station ? since.places[shard] : undefined,
        until: until?.station === station ? until.places[shard] : undefined,
      }));
    if (there.length > 0) membership.set(room, there);
  }
  return membership;
}
