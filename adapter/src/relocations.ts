import type { ClusterMessage } from 'socket.io-adapter';
import { KIND, type Message, decodeValue } from './message.js';
import { type EntryId, type Place, compareIds, later } from './position.js';

/** How cluster messages of socket.io-adapter say what becomes of sessions. */
const ACTIONS: ReadonlyMap<number, Relocated['action']> = new Map([
  [4, 'join'],
  [5, 'leave'],
  [6, 'end'],
]);

/** What a message makes of the sessions in rooms. */
export interface Relocated {
  readonly action: 'join' | 'leave' | 'end';
  /** Of whom: empty for all in the namespace; and who is left out. */
  readonly of: readonly string[];
  readonly except: readonly string[];
  /** What they join or leave. */
  readonly rooms: readonly string[];
}

/** The same as it stands in a mailbox. */
export interface Relocation extends Relocated, Place {
  readonly namespace: string;
}

/** Relocations of a mailbox that its node may not have done: from behind an entry up to one. */
export interface Undone {
  readonly after: EntryId;
  readonly upTo: EntryId;
}

/**
 * @param relocated the last entry that makes sessions join, leave or end
 * @param read up to where records say what the node has made of its sessions
 * @param done the same, of the record of one session
 */
export function undoneOf(
  relocated: EntryId | null,
  read: EntryId | null,
  done: EntryId,
): Undone | undefined {
  const after = later(read, done);
  return relocated !== null && compareIds(relocated, after) > 0
    ? { after, upTo: relocated }
    : undefined;
}

/** @returns undefined for a message that does something else */
export function relocatedBy(message: ClusterMessage): Relocated | undefined {
  const action = ACTIONS.get(message.type);
  if (!action) return undefined;
  const { opts, rooms = [] } = (message as { data?: unknown }).data as {
    opts: { rooms: string[]; except: string[] };
    rooms?: string[];
  };
  return { action, of: opts.rooms, except: opts.except, rooms };
}

/** As `relocatedBy`, of a message whose value is not known yet. */
export function relocationIn(message: Message): Relocated | undefined {
  const isCluster = message.kind === KIND.cluster || message.kind === KIND.crossing;
  return isCluster ? relocatedBy(decodeValue(message) as ClusterMessage) : undefined;
}

/** Relocations of a mailbox, in order: few, and wanted for a short time only. */
export class Relocations {
  private list: Relocation[] = [];
  /** What stands up to here is not known. */
  private forgotten: EntryId | undefined;

  add(relocation: Relocation): void {
    this.list.push(relocation);
  }

  /** Forgets those in entries up to this one. */
  forget(upTo: EntryId): void {
    this.forgotten = upTo;
    const first = this.list.findIndex(({ id }) => compareIds(id, upTo) > 0);
    this.list = first === -1 ? [] : this.list.slice(first);
  }

  /** @returns those behind an entry, up to another one; undefined when they are not known any more */
  between(after: EntryId, upTo: EntryId): readonly Relocation[] | undefined {
    if (this.forgotten !== undefined && compareIds(after, this.forgotten) < 0) return undefined;
    return this.list.filter(({ id }) => compareIds(id, after) > 0 && compareIds(id, upTo) <= 0);
  }
}

/** @returns whether that is for a session, by the rooms that it is in */
export function concerns(
  { of, except }: Pick<Relocated, 'of' | 'except'>,
  isIn: (room: string) => boolean,
): boolean {
  return (of.length === 0 || of.some(isIn)) && !except.some(isIn);
}
