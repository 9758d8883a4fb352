import { namespaceKey, roomKey } from './keys.js';
import { Message, type Route } from './message.js';
import { type EntryId, type Place, comparePlaces, compareIds } from './position.js';
import { Relocations } from './relocations.js';

/** An event of a mailbox and where it stands. */
export interface Past extends Place {
  readonly message: Message;
}

/** While a session is in a room, in one mailbox: from behind a place, and up to one. */
export interface Stay {
  /** Undefined: all along. */
  readonly since?: Place | undefined;
  readonly until?: Place | undefined;
}

export type Membership = ReadonlyMap<string, readonly Stay[]>;

/** A history is kept, and let go, in so many parts. */
const PARTS = 64;

/**
 * Recent events of a mailbox by what they are addressed to, so that what one session missed is found
 * without a look at the rest. They are kept as bytes: objects of each event that live for minutes would
 * cost the garbage collector more than all else that is done with an event.
 */
export class History {
  private parts: Part[] = [];
  private bytes = 0;

  /** @param maxBytes of messages that are kept */
  constructor(private readonly maxBytes: number) {}

  readonly relocations = new Relocations();

  /** Events up to here are not known; undefined: nothing was dropped yet. */
  dropped: EntryId | undefined;

  add(past: Past): void {
    const { length } = past.message;
    let part = this.parts.at(-1);
    // An entry is kept, and let go, whole.
    if (!part || (part.last !== past.id && part.isFull)) {
      part = new Part(Math.max(length, Math.ceil(this.maxBytes / PARTS)));
      this.parts.push(part);
    }
    part.add(past);
    this.bytes += length;
    while (this.bytes > this.maxBytes) this.drop();
  }

  /** Lets go of parts that are older than this. */
  expire(oldestMs: number): void {
    while (this.parts.length > 0 && Number.parseInt(this.parts[0]!.last, 10) < oldestMs)
      this.drop();
  }

  clear(): void {
    this.parts = [];
    this.bytes = 0;
    this.dropped = undefined;
  }

  /**
   * Events for a session behind a position, up to an entry.
   * @param rooms that it is in, its own among them
   */
  between(namespace: string, rooms: Membership, after: Place, upTo: EntryId): Past[] {
    const keys = [namespaceKey(namespace)];
    for (const room of rooms.keys()) keys.push(roomKey(namespace, room));
    return this.parts
      .filter((part) => compareIds(part.last, after.id) >= 0)
      .flatMap((part) => part.between(keys, after, upTo))
      .filter(({ id, index, message }) => isFor(message.route, { id, index }, rooms));
  }

  private drop(): void {
    const part = this.parts.shift()!;
    this.bytes -= part.used;
    this.dropped = part.last;
  }
}

/** Of no event. */
const NONE = -1;

/** Some events in a row: their bytes, and arrays of numbers that say where each is and for whom. */
class Part {
  used = 0;
  private bytes: Buffer;
  private readonly ids: EntryId[] = [];
  /** Of each event: where its bytes begin, number of its entry, index in that. */
  private readonly begins: number[] = [];
  private readonly entries: number[] = [];
  private readonly indexes: number[] = [];
  /** The last link of each key; of each link its event and the link before it. */
  private readonly heads = new Map<string, number>();
  private readonly events: number[] = [];
  private readonly previous: number[] = [];

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }

  /** The last entry that it has an event of. */
  get last(): EntryId {
    return this.ids.at(-1)!;
  }

  /** What is left is for the rest of an entry. */
  get isFull(): boolean {
    return this.used >= this.bytes.length * 0.75;
  }

  add({ id, index, message }: Past): void {
    if (this.ids.at(-1) !== id) this.ids.push(id);
    if (this.used + message.length > this.bytes.length) this.grow(message.length);
    const event = this.begins.length;
    this.begins.push(this.used);
    this.entries.push(this.ids.length - 1);
    this.indexes.push(index);
    message.copyTo(this.bytes, this.used);
    this.used += message.length;
    for (const key of message.route.keys) {
      const link = this.events.length;
      this.events.push(event);
      this.previous.push(this.heads.get(key) ?? NONE);
      this.heads.set(key, link);
    }
  }

  between(keys: readonly string[], after: Place, upTo: EntryId): Past[] {
    const begin = this.firstBehind(after.id, after.index);
    const end = this.firstBehind(upTo, Infinity);
    const found = new Set<number>();
    for (const key of keys)
      for (let link = this.heads.get(key) ?? NONE; link !== NONE; link = this.previous[link]!) {
        const event = this.events[link]!;
        if (event < begin) break;
        if (event < end) found.add(event);
      }
    return [...found].sort((one, other) => one - other).map((event) => this.at(event));
  }

  private grow(length: number): void {
    const bytes = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.used + length));
    this.bytes.copy(bytes, 0, 0, this.used);
    this.bytes = bytes;
  }

  private at(event: number): Past {
    return {
      id: this.ids[this.entries[event]!]!,
      index: this.indexes[event]!,
      message: new Message(this.bytes, this.begins[event]),
    };
  }

  /** Number of the first event behind this place. */
  private firstBehind(id: EntryId, index: number): number {
    let low = 0;
    let high = this.begins.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order =
        compareIds(this.ids[this.entries[middle]!]!, id) || this.indexes[middle]! - index;
      if (order > 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function isFor({ rooms: to, except }: Route, place: Place, rooms: Membership): boolean {
  const wasIn = (room: string) =>
    rooms
      .get(room)
      ?.some(
        ({ since, until }) =>
          (!since || comparePlaces(place, since) > 0) &&
          (!until || comparePlaces(place, until) < 0),
      ) ?? false;
  if (except.some(wasIn)) return false;
  return to.length === 0 || to.some(wasIn);
}
