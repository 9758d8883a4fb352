import type { Namespace } from 'socket.io';
import { anySocket, closeTransport } from './engine.js';
import { sessionKey } from './keys.js';
import { RedisAway } from './link.js';
import { type Message, decodeValue } from './message.js';
import { type Move, move } from './move.js';
import type { MailboxNode } from './node.js';
import { type Missed, type Stretch, missedOf, passagesOf } from './passages.js';
import {
  type EntryId,
  type Position,
  compareIds,
  parseEntries,
  parsePosition,
  whole,
} from './position.js';
import type { Posed } from './questions.js';
import { type SessionRecord, recordOf } from './record.js';
import { Unrecoverable } from './refusal.js';
import { type Relocation, type Undone, undoneOf } from './relocations.js';
import {
  type Changes,
  type Stays,
  changesOf,
  membershipOf,
  replay,
  roomsOf,
  staysOf,
} from './stays.js';

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

/** What a session is to be known by between the two halves of its return. */
type Claimed = Pick<LostSession, 'id' | 'pid' | 'rooms'>;

/** The fields of its record, and what is known of its node's mailbox there (`keys.ts`). */
type Taken = [fields: string[], relocated: EntryId | null, read: EntryId | null];

/** What its record said of a session, and what was to be done to it besides. */
interface Claim {
  readonly record: SessionRecord;
  readonly changes: Changes | undefined;
}

/** What may not be done to a session of a node, by shard. */
interface Unfinished {
  readonly owner: string;
  /** Number of the station. */
  readonly station: number;
  readonly undone: readonly (Undone | undefined)[];
}

/** Gives lost sessions back: takes them from where they were and finds what they missed. */
export class Recovery {
  /** Sessions on their way here, and where in each mailbox they were last said to be elsewhere. */
  private readonly arriving = new Map<string, Map<number, EntryId>>();

  /** Of sessions that go elsewhere: how many shards have said so. */
  private readonly notices = new Map<string, number>();

  /** What was known of those that were claimed. */
  private readonly claims = new WeakMap<Claimed, Claim>();

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
    const name = sessionKey(namespace, pid);
    try {
      const [fields, relocated, read] = await this.take(name);
      const record = recordOf(fields);
      const { id, data, owner, station, rooms, done } = record;
      const stays = staysOf(rooms);
      const entries = parseEntries(done);
      const { shards } = this.node;
      const home = shards.of(name);
      const undone = await Promise.all(
        shards.all.map(async (shard) => {
          const since = entries[shard.index]!;
          return shard === home ? undoneOf(relocated, read, since) : shard.undone(owner, since);
        }),
      );
      const isChanged = await this.catchUp(namespace, stays, { owner, station, undone });
      if (isChanged === 'end') {
        this.node.sessions.discard(name);
        throw new Unrecoverable('unknown');
      }
      const lost = { id, pid, data: JSON.parse(data), rooms: roomsOf(stays) };
      const had = rooms.map(([room]) => room);
      this.claims.set(lost, { record, changes: isChanged ? changesOf(stays, had) : undefined });
      return lost;
    } catch (error) {
      return this.refuse(error);
    }
  }

  /**
   * What a claimed session missed, in order (of each shard).
   * Nothing falls between the result and what is delivered live to sockets that join the rooms before
   * control goes back to the event loop.
   * @param offset position of the last event that it received
   * @param lost as it was claimed
   * @param rooms those that it is still to be in; its own id may be among them
   * @returns undefined when that cannot be known; never rejects
   */
  async missed(
    namespace: string,
    lost: Claimed,
    offset: string,
    rooms: readonly string[],
  ): Promise<Missed[] | undefined> {
    const after = parsePosition(offset, this.node.shards.all.length);
    if (!after) return this.refuse(new Unrecoverable('position'));
    const kept = rooms.includes(lost.id) ? rooms : [...rooms, lost.id];
    const name = sessionKey(namespace, lost.pid);
    const { sessions } = this.node;
    if (this.arriving.has(name)) return this.refuse(new Unrecoverable('unknown'));
    const left = new Map<number, EntryId>();
    this.arriving.set(name, left);
    try {
      await this.end(namespace, lost.id);
      sessions.hold(namespace, name, lost.id, kept);
      this.node.shards.flush();
      return await this.find(namespace, lost, after, kept, left);
    } catch (error) {
      sessions.discard(name);
      return this.refuse(error);
    } finally {
      this.arriving.delete(name);
    }
  }

  /** @throws Unrecoverable, RedisAway */
  private async take(name: string): Promise<Taken> {
    const { shards, windowMs, settings } = this.node;
    const until = performance.now() + settings.timeoutMs;
    for (;;) {
      const args = [this.node.nodeId, name, windowMs];
      const fields = this.arriving.has(name)
        ? 'BUSY'
        : ((await shards.of(name).link.run('claim', args)) as Taken | 'BUSY' | null);
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
    lost: Claimed,
    after: Position,
    rooms: readonly string[],
    left: ReadonlyMap<number, EntryId>,
  ): Promise<Missed[]> {
    const { shards, nodeId: me } = this.node;
    const { id, pid } = lost;
    const { record, changes } = this.claims.get(lost) ?? {};
    if (after.served) await this.pass(after.served.until);
    const posed = record && this.pose(namespace, record, rooms, after);
    const moving = { namespace, id, pid, rooms, changes, question: posed?.draft };
    const moved = await move(this.node, moving);
    if (!moved) throw new Unrecoverable('unknown');
    const stays = staysOf(moved.rooms);
    const { number: station } = moved;
    const undone = moved.arrivals.map((arrival) => arrival.undone);
    const { node: owner } = moved.stations.at(-1)!;
    const late = await this.catchUp(namespace, stays, { owner, station, undone });
    // What was decided of its rooms was decided without that.
    if (late === 'end' || (late && !changes) || !areSame(roomsOf(stays), lost.rooms))
      throw new Unrecoverable('unknown');
    keep(stays, rooms);
    const passages = passagesOf(shards.all, namespace, moved, stays, after);
    for (const { node, stretches } of passages)
      if (node !== me)
        await Promise.all(stretches.map((stretch) => this.look(node, stretch, moved, posed)));
    for (const [index, shard] of shards.all.entries()) {
      const { here } = moved.arrivals[index]!;
      await shard.caughtUp(here);
    }
    if (shards.all.some(({ doubts }) => doubts.hasServed)) throw new Unrecoverable('ambiguous');
    // Meanwhile it may have gone on under another name, and what it read before is forgotten.
    if (this.node.nodeId !== me) throw new Unrecoverable('node');
    for (const [index, entry] of left)
      if (compareIds(entry, moved.arrivals[index]!.here) > 0) throw new Unrecoverable('unknown');
    for (const [index, shard] of shards.all.entries()) {
      const { here } = moved.arrivals[index]!;
      const more = shard.history.relocations.between(here, shard.entry());
      if (!more || replay(stays, of(namespace, more), station, index))
        throw new Unrecoverable('unknown');
    }
    // From here on nothing is awaited: what is delivered later, the session gets live.
    passages.push({
      node: me,
      from: moved.arrivals.map(({ here }) => whole(here)),
      stretches: shards.all.map((shard, index) => ({
        shard,
        namespace,
        rooms: membershipOf(stays, station + 1, index),
        after: whole(moved.arrivals[index]!.here),
        upTo: shard.entry(),
      })),
    });
    return passages.flatMap((passage) => missedOf(passage, after));
  }

  /**
   * Where nothing happens to a session meanwhile, what it missed on its last station is known before it
   * is moved, but for the end: so its node can be asked with the very message that tells of the move.
   */
  private pose(
    namespace: string,
    { owner, station, from, rooms }: SessionRecord,
    kept: readonly string[],
    { node, places }: Position,
  ): Posed | undefined {
    const [shard, ...more] = this.node.shards.all;
    if (owner === this.node.nodeId || more.length > 0) return undefined;
    const stays = staysOf(rooms);
    keep(stays, kept);
    const isThere = node === owner && compareIds(places[0]!.id, from) >= 0;
    const after = isThere ? places[0]! : whole(from);
    return shard!.others.pose(owner, { namespace, rooms: membershipOf(stays, station, 0), after });
  }

  /**
   * Does to a session what its node, which is dead or lags behind, had not done yet.
   * @returns whether there was anything
   */
  private async catchUp(
    namespace: string,
    stays: Stays,
    { owner, station, undone }: Unfinished,
  ): Promise<boolean | 'end'> {
    let isChanged = false;
    for (const shard of this.node.shards.all) {
      const part = undone[shard.index];
      if (!part) continue;
      const relocations = await shard.relocations(owner, part);
      if (!relocations) throw new Unrecoverable('trimmed');
      const done = replay(stays, of(namespace, relocations), station, shard.index);
      if (done === 'end') return done;
      // Where it stands in the mailboxes of other shards is not known.
      if (done && this.node.shards.all.length > 1) throw new Unrecoverable('unknown');
      isChanged ||= done;
    }
    return isChanged;
  }

  /** Waits until nothing is executed any more that was refused until then, by Redis' clock. */
  private async pass(until: number): Promise<void> {
    const { shards, settings } = this.node;
    const ms = Math.max(...shards.all.map(({ clock }) => until - clock.in(0))) + 1;
    if (ms > 2 * settings.timeoutMs) throw new Unrecoverable('ambiguous');
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** Finds the events of a stretch of another node. @throws Unrecoverable when they are too many */
  private async look(
    node: string,
    stretch: Stretch,
    { arrivals }: Move,
    posed: Posed | undefined,
  ): Promise<void> {
    const { shard } = stretch;
    const { nodes, now } = arrivals[shard.index]!;
    stretch.events = await shard.others.events(node, stretch, nodes.get(node)! > now, posed);
    if (!stretch.events) throw new Unrecoverable('trimmed');
  }
}

/** The others are no rooms of the session any more. */
function keep(stays: Stays, rooms: readonly string[]): void {
  for (const room of roomsOf(stays)) if (!rooms.includes(room)) stays.delete(room);
}

function areSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && new Set([...some, ...others]).size === some.length;
}

function of(namespace: string, relocations: readonly Relocation[]): Relocation[] {
  return relocations.filter((relocation) => relocation.namespace === namespace);
}

function again(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
}
