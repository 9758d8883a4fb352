import type { Namespace } from 'socket.io';
import { anySocket, closeTransport } from './engine.js';
import type { Membership, Past } from './history.js';
import { sessionKey } from './keys.js';
import { RedisAway } from './link.js';
import { type Message, decodePacket, decodeValue } from './message.js';
import { type Move, move } from './move.js';
import type { MailboxNode } from './node.js';
import {
  type EntryId,
  type Place,
  type Position,
  WHOLE,
  compareIds,
  formatPosition,
  parseEntries,
  parsePosition,
} from './position.js';
import type { Part } from './questions.js';
import type { Shard } from './shard.js';

/** How long it is waited between two looks at what somebody else is to finish first. */
const AGAIN_MS = 20;

/** Sessions on their way elsewhere that are kept track of. */
const MOST_NOTICES = 10_000;

/** An earlier session that may be continued. */
export interface LostSession {
  /** Its Socket.IO id. */
  readonly id: string;
  readonly pid: string;
  /** What was in `socket.data`, as JSON gives it back. */
  readonly data: unknown;
  readonly rooms: readonly string[];
}

/**
 * Why a session is not continued. `unknown`: it ended, was taken already, or stayed away for too long;
 * `position`: it was not where its offset says; `trimmed`: what it missed is not kept any more, or may
 * have been forgotten by Redis; `node`: the mailbox is gone; `ambiguous`: it is not known what of it was
 * delivered while Redis was away; `redis`: Redis is away.
 */
export type Refusal = 'unknown' | 'position' | 'trimmed' | 'node' | 'ambiguous' | 'redis';

class Unrecoverable extends Error {
  constructor(readonly why: Refusal) {
    super(why);
  }
}

/** What a session missed of one mailbox. */
interface Stretch extends Part {
  readonly shard: Shard;
  /** Found in another node's mailbox; this node's own are in its history. */
  events?: readonly Past[] | undefined;
}

/** What a session missed of a station. */
interface Passage {
  readonly node: string;
  readonly from: readonly Place[];
  readonly stretches: readonly Stretch[];
}

/** Gives lost sessions back: takes them from where they were and finds what they missed. */
export class Recovery {
  /** Sessions on their way here, and where in each mailbox they were last said to be elsewhere. */
  private readonly arriving = new Map<string, Map<number, EntryId>>();

  /** Of sessions that go elsewhere: how many shards have said so. */
  private readonly notices = new Map<string, number>();

  constructor(
    private readonly node: MailboxNode,
    private readonly failed: (error: unknown) => void,
  ) {}

  /**
   * Takes an earlier session, once: a second call with the same id waits for what becomes of the first
   * one, as long as a call to Redis may take, and then gets undefined. A session that is taken and not
   * continued is gone.
   * @returns undefined when unknown or too old, or while Redis is away; never rejects
   */
  async claim(namespace: string, pid: string): Promise<LostSession | undefined> {
    if (this.node.windowMs === 0) return undefined;
    this.node.shards.flush();
    try {
      const fields = await this.take(sessionKey(namespace, pid));
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
    } catch (error) {
      return this.refuse(error);
    }
  }

  /**
   * What a claimed session missed: arguments of each event, name first and offset last, in order (of
   * each shard).
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
    const after = parsePosition(offset, this.node.shards.all.length);
    if (!after) return this.refuse(new Unrecoverable('position'));
    const kept = rooms.includes(lost.id) ? rooms : [...rooms, lost.id];
    const name = sessionKey(namespace, lost.pid);
    const { sessions } = this.node;
    this.arriving.set(name, new Map());
    try {
      await this.end(namespace, lost.id);
      sessions.hold(namespace, name, lost.id, kept);
      this.node.shards.flush();
      return await this.find(namespace, lost, after, kept);
    } catch (error) {
      sessions.discard(name);
      return this.refuse(error);
    } finally {
      this.arriving.delete(name);
    }
  }

  /** @returns the fields of the record */
  private async take(name: string): Promise<string[]> {
    const { shards, windowMs, settings } = this.node;
    const until = performance.now() + settings.timeoutMs;
    for (;;) {
      const args = [this.node.nodeId, name, windowMs];
      const fields = this.arriving.has(name)
        ? 'BUSY'
        : ((await shards.of(name).link.run('claim', args)) as string[] | 'BUSY' | null);
      if (fields === null || (fields === 'BUSY' && performance.now() > until))
        throw new Unrecoverable('unknown');
      if (fields !== 'BUSY') return fields;
      await again();
    }
  }

  /** The client has left what this node still has of it for the new connection. */
  private async end(namespace: string, id: string): Promise<void> {
    const until = performance.now() + this.node.settings.timeoutMs;
    for (let socket; (socket = this.socketOf(namespace, id)); await again()) {
      if (performance.now() > until) throw new Unrecoverable('unknown');
      closeTransport(socket);
    }
  }

  private refuse(error: unknown): undefined {
    if (error instanceof Unrecoverable) this.node.emit('unrecovered', error.why);
    else if (error instanceof RedisAway) this.node.emit('unrecovered', 'redis');
    else this.failed(error);
    return undefined;
  }

  /** A session of this node is elsewhere now, since this entry of its mailbox. */
  movedAway(shard: number, entry: EntryId, message: Message): void {
    const { namespace } = message;
    const { id, pid } = decodeValue(message) as { id: string; pid: string };
    const left = this.arriving.get(sessionKey(namespace, pid));
    // It may be on its way back already: then that was before.
    if (left) return void left.set(shard, entry);
    if (!this.isToldByAll(message)) return;
    const socket = this.socketOf(namespace, id);
    if (socket) closeTransport(socket);
    this.node.sessions.moved(sessionKey(namespace, pid));
  }

  /**
   * Until the new node has its place in every shard, what is written to a shard meanwhile must go on to
   * come here.
   */
  private isToldByAll({ publisher, number }: Message): boolean {
    const { length } = this.node.shards.all;
    if (length === 1) return true;
    const notice = `${publisher}.${number}`;
    const count = (this.notices.get(notice) ?? 0) + 1;
    this.notices.delete(notice);
    if (count === length) return true;
    this.notices.set(notice, count);
    const [oldest] = this.notices.keys();
    // Of those that come from some shards only, since the others went away.
    if (this.notices.size > MOST_NOTICES) this.notices.delete(oldest!);
    return false;
  }

  private socketOf(namespace: string, id: string) {
    const adapter = this.node.sessions.adapters.get(namespace);
    return adapter && anySocket(adapter.nsp as Namespace, id);
  }

  private async find(
    namespace: string,
    { id, pid }: Pick<LostSession, 'id' | 'pid'>,
    after: Position,
    rooms: readonly string[],
  ): Promise<unknown[][]> {
    const { shards, nodeId: me } = this.node;
    if (after.served) await this.pass(after.served.until);
    const moved = await move(this.node, { namespace, id, pid, rooms });
    if (!moved) throw new Unrecoverable('unknown');
    const passages = this.passagesOf(namespace, moved, after);
    for (const { node, stretches } of passages)
      if (node !== me) for (const stretch of stretches) await this.look(node, stretch, moved);
    for (const [index, shard] of shards.all.entries()) {
      const { here } = moved.arrivals[index]!;
      await shard.caughtUp(here);
    }
    if (shards.all.some(({ doubts }) => doubts.hasServed)) throw new Unrecoverable('ambiguous');
    // Meanwhile it may have gone on under another name, and what it read before is forgotten.
    if (this.node.nodeId !== me) throw new Unrecoverable('node');
    for (const [index, entry] of this.arriving.get(sessionKey(namespace, pid))!)
      if (compareIds(entry, moved.arrivals[index]!.here) > 0) throw new Unrecoverable('unknown');
    // From here on nothing is awaited: what is delivered later, the session gets live.
    const last = moved.stations.length;
    passages.push({
      node: me,
      from: moved.arrivals.map(({ here }) => whole(here)),
      stretches: shards.all.map((shard, index) => ({
        shard,
        namespace,
        rooms: membershipOf(moved.rooms, last, last, index),
        after: whole(moved.arrivals[index]!.here),
        upTo: shard.entry(),
      })),
    });
    return passages.flatMap((passage) => argumentsOf(passage, after));
  }

  /** Waits until nothing is executed any more that was refused until then, by Redis' clock. */
  private async pass(until: number): Promise<void> {
    const { shards, settings } = this.node;
    const ms = Math.max(...shards.all.map(({ clock }) => until - clock.in(0))) + 1;
    if (ms > 2 * settings.timeoutMs) throw new Unrecoverable('ambiguous');
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** What it missed, station by station: not found yet. @throws Unrecoverable */
  private passagesOf(namespace: string, moved: Move, after: Position): Passage[] {
    const { stations, rooms, number, arrivals } = moved;
    const first = stations.findLastIndex(
      ({ node, from, to }) =>
        node === after.node &&
        after.places.every(
          ({ id }, index) => compareIds(id, from[index]!) >= 0 && compareIds(id, to[index]!) <= 0,
        ),
    );
    if (first === -1) throw new Unrecoverable('position');
    return stations.slice(first).map(({ node, from: begin, to }, nth) => {
      const from = nth === 0 ? after.places : begin.map(whole);
      const stretches: Stretch[] = [];
      for (const [index, shard] of this.node.shards.all.entries()) {
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
        const ofStation = membershipOf(rooms, first + nth, number, index);
        stretches.push({ shard, namespace, rooms: ofStation, after: start, upTo });
      }
      return { node, from, stretches };
    });
  }

  /** Finds the events of a stretch of another node. @throws Unrecoverable when they are too many */
  private async look(node: string, stretch: Stretch, { arrivals }: Move): Promise<void> {
    const { shard } = stretch;
    const { nodes, now } = arrivals[shard.index]!;
    stretch.events = await shard.others.events(node, stretch, nodes.get(node)! > now);
    if (!stretch.events) throw new Unrecoverable('trimmed');
  }
}

/** Arguments of the events, each with a position to come back with when it is the last. */
function argumentsOf({ node, from, stretches }: Passage, after: Position): unknown[][] {
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
    const { data } = decodePacket(`${message.text.toString()}]`, message.attachments);
    return [...(data as unknown[]), formatPosition({ node, places, ...served })];
  });
}

/** Whether it was received, though not from a mailbox. @throws Unrecoverable when that is not known */
function wasServed({ publisher, number }: Message, { node, served }: Position): boolean {
  if (!served || publisher !== Number(node)) return false;
  const run = served.runs.find(({ from, to }) => from <= number && number <= to);
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

/**
 * @param rooms each with since when: empty, or number of the station and entries in its mailboxes
 * @param station of which it is asked
 */
function membershipOf(
  rooms: Move['rooms'],
  station: number,
  last: number,
  shard: number,
): Membership {
  const membership = new Map<string, EntryId | undefined>();
  for (const [room, since] of rooms) {
    const [number = '', ids = ''] = since.split(' ');
    if (since === '' || Number(number) < station || station > last) membership.set(room, undefined);
    else if (Number(number) === station) membership.set(room, parseEntries(ids)[shard]);
  }
  return membership;
}

function whole(id: EntryId): Place {
  return { id, index: WHOLE };
}

function again(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
}
