import { Column } from './column.js';
import { hashOf, namespaceKey, roomKey } from './keys.js';
import { Message, type Route } from './message.js';
import { type EntryId, type Place, compareIds, comparePlaces, numbersOf } from './position.js';
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
    const hashes = [hashOf(namespaceKey(namespace))];
    for (const room of rooms.keys()) hashes.push(hashOf(roomKey(namespace, room)));
    return this.parts
      .filter((part) => compareIds(part.last, after.id) >= 0)
      .flatMap((part) => part.between(hashes, after, upTo))
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
/** Bytes of a message that is small. */
const SMALL = 256;

/** Some events in a row: their bytes, and numbers that say where each is and for whom. */
class Part {
  used = 0;
  /** The last entry that it has an event of. */
  last: EntryId = '';
  private bytes: Buffer;
  /** Of each entry: the two numbers of its id. */
  private readonly times = new Column(Float64Array);
  private readonly counts = new Column(Float64Array);
  /** Of each event: where its bytes begin, number of its entry, index in that. */
  private readonly begins = new Column(Int32Array);
  private readonly entries = new Column(Int32Array);
  private readonly indexes = new Column(Int32Array);
  /** The last link of the keys with the same end of their hashes. */
  private readonly heads: Int32Array;
  /** Of each link: its event, the hash of its key, the link before it. */
  private readonly events = new Column(Int32Array);
  private readonly hashes = new Column(Int32Array);
  private readonly previous = new Column(Int32Array);

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.heads = new Int32Array(2 ** Math.ceil(Math.log2(size / SMALL + 1))).fill(NONE);
  }

  /** What is left is for the rest of an entry. */
  get isFull(): boolean {
    return this.used >= this.bytes.length * 0.75;
  }

  add({ id, index, message }: Past): void {
    if (this.last !== id) {
      this.last = id;
      const [time, count] = numbersOf(id);
      this.times.push(time);
      this.counts.push(count);
    }
    if (this.used + message.length > this.bytes.length) this.grow(message.length);
    const event = this.begins.length;
    this.begins.push(this.used);
    this.entries.push(this.times.length - 1);
    this.indexes.push(index);
    message.copyTo(this.bytes, this.used);
    this.used += message.length;
    for (const hash of message.route.hashes) {
      const head = this.headOf(hash);
      const link = this.events.length;
      this.events.push(event);
      this.hashes.push(hash);
      this.previous.push(this.heads[head]!);
      this.heads[head] = link;
    }
  }

  /** Also what is for keys with the same hash. */
  between(hashes: readonly number[], after: Place, upTo: EntryId): Past[] {
    const begin = this.firstBehind(after.id, after.index);
    const end = this.firstBehind(upTo, Infinity);
    const found = new Set<number>();
    for (const hash of hashes)
      for (
        let link = this.heads[this.headOf(hash)]!;
        link !== NONE;
        link = this.previous.at(link)
      ) {
        const event = this.events.at(link);
        if (event < begin) break;
        if (event < end && this.hashes.at(link) === hash) found.add(event);
      }
    return [...found].sort((one, other) => one - other).map((event) => this.at(event));
  }

  private headOf(hash: number): number {
    return hash & (this.heads.length - 1);
  }

  private grow(length: number): void {
    const bytes = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.used + length));
    this.bytes.copy(bytes, 0, 0, this.used);
    this.bytes = bytes;
  }

  private at(event: number): Past {
    const entry = this.entries.at(event);
    return {
      id: `${this.times.at(entry)}-${this.counts.at(entry)}`,
      index: this.indexes.at(event),
      message: new Message(this.bytes, this.begins.at(event)),
    };
  }

  /** Number of the first event behind this place. */
  private firstBehind(id: EntryId, index: number): number {
    const [time, count] = numbersOf(id);
    let low = 0;
    let high = this.begins.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.entries.at(middle);
      const order =
        this.times.at(entry) - time ||
        this.counts.at(entry) - count ||
        this.indexes.at(middle) - index;
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
