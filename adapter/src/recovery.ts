import type { Redis } from 'ioredis';
import type { Namespace } from 'socket.io';
import { closeTransport } from './engine.js';
import { History, type Membership, type Past } from './history.js';
import { FORMAT, roomKey, sessionKey } from './keys.js';
import { KIND, decode, decodePacket, encodeValue } from './message.js';
import type { MailboxNode } from './node.js';
import type { Outbox } from './outbox.js';
import {
  type EntryId,
  type Position,
  compareIds,
  formatPosition,
  parsePosition,
} from './position.js';
import type { RawEntry, Reader } from './reader.js';

/** Entries of a mailbox that are read at once. */
const PAGE = 64;
/** A mailbox of another node is forgotten when nobody has asked for so long. */
const IDLE_MS = 10_000;

/** An earlier session that may be continued. */
export interface LostSession {
  /** Its Socket.IO id. */
  readonly id: string;
  readonly pid: string;
  /** What was in `socket.data`, as JSON gives it back. */
  readonly data: unknown;
  readonly rooms: readonly string[];
}

/** A station of a session: a mailbox, and the part of it that it lived through. */
interface Station {
  readonly node: string;
  readonly from: EntryId;
  readonly to: EntryId;
}

type MoveReply = [
  owner: string,
  there: EntryId,
  here: EntryId,
  chain: string,
  number: string,
  from: EntryId,
  rooms: string[],
  trimmed: string[],
  nodes: string[],
];

/** Gives lost sessions back: takes them from where they were and finds what they missed. */
export class Recovery {
  private readonly mailboxes = new Map<string, Mailbox>();

  constructor(
    private readonly node: MailboxNode,
    private readonly outbox: Outbox,
    private readonly reader: Reader,
    private readonly failed: (error: unknown) => void,
  ) {}

  /**
   * Takes an earlier session, once: a second call with the same id gets undefined. A session that is
   * taken and not continued is gone.
   * @returns undefined when unknown or too old, or while Redis is away; never rejects
   */
  async claim(namespace: string, pid: string): Promise<LostSession | undefined> {
    if (this.node.windowMs === 0) return undefined;
    this.outbox.flush();
    try {
      const { nodeId, windowMs, link } = this.node;
      const args = [nodeId, sessionKey(namespace, pid), windowMs];
      const fields = (await link.run('claim', args)) as string[] | null;
      if (fields === null) return undefined;
      const rooms: string[] = [];
      let id = '';
      let data = '{}';
      for (let index = 0; index < fields.length; index += 2) {
        const [field = '', value = ''] = fields.slice(index, index + 2);
        if (field === 's') id = value;
        else if (field === 'd') data = value;
        else if (field.startsWith(':')) rooms.push(field.slice(1));
      }
      return { id, pid, data: JSON.parse(data), rooms };
    } catch {
      // RedisAway: whoever asks begins anew.
      return undefined;
    }
  }

  /**
   * What a claimed session missed: arguments of each event, name first and offset last, in order.
   * Nothing falls between the result and what is delivered live to sockets that join the rooms before
   * control goes back to the event loop.
   * @param offset position of the last event that it received
   * @param rooms those that it is still to be in; its own id may be among them
   * @returns undefined when that cannot be known; never rejects
   */
  async missed(
    namespace: string,
    lost: Pick<LostSession, 'id' | 'pid'>,
    offset: string,
    rooms: readonly string[],
  ): Promise<unknown[][] | undefined> {
    const after = parsePosition(offset);
    if (!after) return undefined;
    const kept = rooms.includes(lost.id) ? rooms : [...rooms, lost.id];
    const name = sessionKey(namespace, lost.pid);
    const { sessions } = this.node;
    // The client has left it for the new connection.
    const stale = this.socketOf(namespace, lost.id);
    if (stale) closeTransport(stale);
    sessions.hold(namespace, name, lost.id, kept);
    this.outbox.flush();
    try {
      const found = await this.find(namespace, lost, after, kept);
      if (!found) sessions.moved(name);
      return found;
    } catch (error) {
      this.failed(error);
      sessions.moved(name);
      return undefined;
    }
  }

  /** A session of this node is elsewhere now. */
  movedAway(namespace: string, { id, pid }: { id: string; pid: string }): void {
    const socket = this.socketOf(namespace, id);
    if (socket) closeTransport(socket);
    this.node.sessions.moved(sessionKey(namespace, pid));
  }

  /** Forgets what others' mailboxes were read for. */
  expire(): void {
    const oldest = Date.now() - IDLE_MS;
    for (const [node, mailbox] of this.mailboxes)
      if (mailbox.usedAt < oldest) this.mailboxes.delete(node);
  }

  private socketOf(namespace: string, id: string) {
    const adapter = this.node.sessions.adapters.get(namespace);
    return (adapter?.nsp as Namespace | undefined)?.sockets.get(id);
  }

  private async find(
    namespace: string,
    lost: Pick<LostSession, 'id' | 'pid'>,
    after: Position,
    rooms: readonly string[],
  ): Promise<unknown[][] | undefined> {
    const reply = await this.move(namespace, lost, rooms);
    if (!reply) return undefined;
    const [owner, there, here, chain, number, from, memberships, trimmed, nodes] = reply;
    const me = this.node.nodeId;
    const stations = stationsOf(chain);
    stations.push({ node: owner, from, to: there });
    const first = stations.findLastIndex(
      ({ node, from: begin, to }) =>
        node === after.node && compareIds(after.id, begin) >= 0 && compareIds(after.id, to) <= 0,
    );
    if (first === -1) return undefined;
    const gone = new Map(pairs(trimmed));
    const known = new Set(nodes);
    const parts: { station: Station; after: { id: EntryId; index: number }; rooms: Membership }[] =
      [];
    for (const [index, station] of stations.entries()) {
      if (index < first) continue;
      const start = index === first ? after : { id: station.from, index: Infinity };
      const limit = gone.get(station.node);
      if (limit !== undefined && compareIds(start.id, limit) < 0) return undefined;
      if (!known.has(station.node) && start.id !== station.to) return undefined;
      const ofStation = membershipOf(memberships, index, Number(number));
      parts.push({ station, after: start, rooms: ofStation });
    }
    for (const { station, after: start } of parts)
      if (station.node !== me && start.id !== station.to) {
        const loaded = await this.mailboxFor(station.node).load(start.id, station.to);
        if (!loaded) return undefined;
      }
    await this.reader.until(() => compareIds(this.node.entry(), here) >= 0);
    // From here on nothing is awaited: what is delivered later, the session gets live.
    const found: { node: string; past: Past }[] = [];
    for (const { station, after: start, rooms: ofStation } of parts) {
      const { node, to } = station;
      if (node === me) {
        const { dropped } = this.node.history;
        if (dropped !== undefined && compareIds(start.id, dropped) < 0) return undefined;
      }
      const history = node === me ? this.node.history : this.mailboxFor(node).history;
      for (const past of history.between(namespace, ofStation, start, to))
        found.push({ node, past });
    }
    const all = membershipOf(memberships, stations.length, stations.length);
    const live = { id: here, index: Infinity };
    for (const past of this.node.history.between(namespace, all, live, this.node.entry()))
      found.push({ node: me, past });
    return found.map(({ node, past }) => argumentsOf(node, past));
  }

  private async move(
    namespace: string,
    { id, pid }: Pick<LostSession, 'id' | 'pid'>,
    rooms: readonly string[],
  ): Promise<MoveReply | null> {
    const { node } = this;
    const notice = node.blobOf({ kind: KIND.moved, namespace, ...encodeValue({ id, pid }) });
    const marker = node.blobOf({ kind: KIND.marker, namespace: '' });
    const own = roomKey(namespace, id);
    const prefix = roomKey(namespace, '');
    const name = sessionKey(namespace, pid);
    const args = [node.nodeId, name, own, notice, marker, prefix, ...rooms];
    return (await node.link.run('move', args)) as MoveReply | null;
  }

  private mailboxFor(node: string): Mailbox {
    let mailbox = this.mailboxes.get(node);
    if (!mailbox) {
      const read = (from: EntryId, to: EntryId) => this.page(node, from, to);
      mailbox = new Mailbox(read, this.node.mailboxBytes);
      this.mailboxes.set(node, mailbox);
    }
    mailbox.usedAt = Date.now();
    return mailbox;
  }

  private page(node: string, from: EntryId, to: EntryId): Promise<RawEntry[]> {
    const args = [this.node.mailboxOf(node), from, to, 'COUNT', PAGE];
    return this.node.link.call(
      (redis: Redis) => redis.callBuffer('XRANGE', args) as Promise<RawEntry[]>,
    );
  }
}

/** A part of another node's mailbox, read once for all who were there. */
class Mailbox {
  history: History;
  usedAt = Date.now();
  private begin: EntryId | undefined;
  private end: EntryId | undefined;
  /** One read after the other; who comes meanwhile shares the next. */
  private last: Promise<unknown> = Promise.resolve();
  private wanted: { from: EntryId; to: EntryId; done: Promise<boolean> } | undefined;

  constructor(
    private readonly page: (from: EntryId, to: EntryId) => Promise<RawEntry[]>,
    private readonly maxBytes: number,
  ) {
    this.history = new History(maxBytes);
  }

  /** Resolves when the entries of this part are there; false when they are too many. */
  load(from: EntryId, to: EntryId): Promise<boolean> {
    if (this.covers(from, to)) return Promise.resolve(true);
    if (this.wanted) {
      const { wanted } = this;
      if (compareIds(from, wanted.from) < 0) wanted.from = from;
      if (compareIds(to, wanted.to) > 0) wanted.to = to;
      return wanted.done.then(() => this.covers(from, to));
    }
    const wanted = { from, to, done: Promise.resolve(false) };
    this.wanted = wanted;
    wanted.done = this.last.then(async () => {
      this.wanted = undefined;
      await this.read(wanted.from, wanted.to);
      return this.covers(from, to);
    });
    this.last = wanted.done.catch(() => undefined);
    return wanted.done;
  }

  private covers(from: EntryId, to: EntryId): boolean {
    if (this.begin === undefined || this.end === undefined) return false;
    const { dropped } = this.history;
    return (
      compareIds(this.begin, from) <= 0 &&
      compareIds(to, this.end) <= 0 &&
      (dropped === undefined || compareIds(dropped, from) < 0)
    );
  }

  private async read(from: EntryId, to: EntryId): Promise<void> {
    if (this.covers(from, to)) return;
    let history = this.history;
    let next = `(${this.end}`;
    let begin = this.begin;
    let end = to;
    if (begin === undefined || this.end === undefined || compareIds(from, begin) < 0) {
      // It goes back further than before: all of it is read anew.
      history = new History(this.maxBytes);
      next = from;
      begin = from;
      if (this.end !== undefined && compareIds(this.end, to) > 0) end = this.end;
    } else if (compareIds(to, this.end) <= 0) return;
    for (;;) {
      const entries = await this.page(next, end);
      for (const [id, fields] of entries) add(history, id.toString('latin1'), fields);
      if (entries.length < PAGE) break;
      next = `(${entries.at(-1)![0].toString('latin1')}`;
    }
    this.history = history;
    this.begin = begin;
    this.end = end;
  }
}

function add(history: History, id: EntryId, fields: readonly Buffer[]): void {
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (fields[index]!.toString('latin1') !== FORMAT) throw new Error('an entry of another format');
    const message = decode(fields[index + 1]!);
    if (message.kind === KIND.event && message.takesOffset && !message.volatile)
      history.add({ id, index: index / 2, message });
  }
}

function argumentsOf(node: string, { id, index, message }: Past): unknown[] {
  const { data } = decodePacket(`${message.text.toString()}]`, message.attachments);
  return [...(data as unknown[]), formatPosition({ node, id, index })];
}

/** `<node> <from> <to> ` again and again. */
function stationsOf(chain: string): Station[] {
  const parts = chain.split(' ');
  const stations: Station[] = [];
  for (let index = 0; index + 2 < parts.length; index += 3)
    stations.push({ node: parts[index]!, from: parts[index + 1]!, to: parts[index + 2]! });
  return stations;
}

/**
 * @param rooms each with since when: empty, or number of the station and entry in its mailbox
 * @param station of which it is asked
 */
function membershipOf(rooms: readonly string[], station: number, last: number): Membership {
  const membership = new Map<string, EntryId | undefined>();
  for (const [room, since] of pairs(rooms)) {
    const [number = '', id = ''] = since.split(' ');
    if (since === '' || Number(number) < station || station > last) membership.set(room, undefined);
    else if (Number(number) === station) membership.set(room, id);
  }
  return membership;
}

function pairs(flat: readonly string[]): [string, string][] {
  const all: [string, string][] = [];
  for (let index = 0; index < flat.length; index += 2) all.push([flat[index]!, flat[index + 1]!]);
  return all;
}
