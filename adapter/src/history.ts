import { namespaceKey, roomKey } from './keys.js';
import type { Message } from './message.js';
import { type EntryId, type Place, compareIds } from './position.js';

/** An event of a mailbox and where it stands. */
export interface Past extends Place {
  readonly message: Message;
  /** It was not delivered from here. */
  readonly unsaid?: true;
}

/** Since when a session is in a room, in one mailbox: undefined for all along. */
export type Membership = ReadonlyMap<string, EntryId | undefined>;

/** Numbers of events in order; those before `from` are gone. */
interface Line {
  numbers: number[];
  from: number;
}

/**
 * Recent events of a mailbox by what they are addressed to, so that what one session missed is found
 * without a look at the rest.
 */
export class History {
  private events: Past[] = [];
  /** Number of the first one in `events`. */
  private first = 0;
  private readonly lines = new Map<string, Line>();
  private bytes = 0;

  /** @param maxBytes of blobs that are kept */
  constructor(private readonly maxBytes: number) {}

  /** Events up to here are not known; undefined: nothing was dropped yet. */
  dropped: EntryId | undefined;

  add(past: Past): void {
    const number = this.first + this.events.length;
    this.events.push(past);
    this.bytes += past.message.blob.length;
    for (const key of keysOf(past.message)) {
      const line = this.lines.get(key);
      if (line) line.numbers.push(number);
      else this.lines.set(key, { numbers: [number], from: 0 });
    }
    while (this.bytes > this.maxBytes) this.drop(1);
  }

  /** This event was not delivered. */
  remove(id: EntryId, index: number): void {
    const at = this.search((past) => isAfter(past, { id, index: index - 1 }));
    const past = this.events[at];
    if (past?.id === id && past.index === index) this.events[at] = { ...past, unsaid: true };
  }

  /** Lets go of entries older than this. */
  expire(oldestMs: number): void {
    let count = 0;
    while (count < this.events.length && Number.parseInt(this.events[count]!.id, 10) < oldestMs)
      count++;
    this.drop(count);
  }

  clear(): void {
    this.events = [];
    this.lines.clear();
    this.bytes = 0;
    this.dropped = undefined;
  }

  /**
   * Events for a session behind a position, up to an entry.
   * @param rooms that it is in, its own among them
   */
  between(namespace: string, rooms: Membership, after: Place, upTo: EntryId): Past[] {
    const begin = this.first + this.search((past) => isAfter(past, after));
    const end = this.first + this.search(({ id }) => compareIds(id, upTo) > 0);
    const keys = [namespaceKey(namespace)];
    for (const room of rooms.keys()) keys.push(roomKey(namespace, room));
    const numbers = new Set<number>();
    for (const key of keys) {
      const line = this.lines.get(key);
      if (!line) continue;
      for (let at = line.numbers.length - 1; at >= line.from; at--) {
        const number = line.numbers[at]!;
        if (number < begin) break;
        if (number < end) numbers.add(number);
      }
    }
    return [...numbers]
      .sort((one, other) => one - other)
      .map((number) => this.events[number - this.first]!)
      .filter((past) => isFor(past, rooms));
  }

  private drop(count: number): void {
    if (count === 0) return;
    const gone = this.events.splice(0, count);
    this.first += count;
    this.dropped = gone.at(-1)!.id;
    for (const { message } of gone) {
      this.bytes -= message.blob.length;
      for (const key of keysOf(message)) this.shorten(key);
    }
  }

  private shorten(key: string): void {
    const line = this.lines.get(key);
    if (!line) return;
    line.from++;
    if (line.from === line.numbers.length) this.lines.delete(key);
    else if (line.from > 64 && line.from > line.numbers.length / 2) {
      line.numbers = line.numbers.slice(line.from);
      line.from = 0;
    }
  }

  /** Index of the first event for which `isBehind` holds; it holds for all after it. */
  private search(isBehind: (past: Past) => boolean): number {
    let low = 0;
    let high = this.events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBehind(this.events[middle]!)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function isAfter(past: Past, { id, index }: Place): boolean {
  const order = compareIds(past.id, id);
  return order > 0 || (order === 0 && past.index > index);
}

function isFor({ id, message, unsaid }: Past, rooms: Membership): boolean {
  if (unsaid) return false;
  const wasIn = (room: string) => {
    if (!rooms.has(room)) return false;
    const since = rooms.get(room);
    return since === undefined || compareIds(id, since) > 0;
  };
  if (message.except.some(wasIn)) return false;
  return message.rooms.length === 0 || message.rooms.some(wasIn);
}

function keysOf({ namespace, rooms }: Message): string[] {
  if (rooms.length === 0) return [namespaceKey(namespace)];
  if (rooms.length === 1) return [roomKey(namespace, rooms[0]!)];
  return Array.from(new Set(rooms), (room) => roomKey(namespace, room));
}
