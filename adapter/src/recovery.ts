import type { Redis } from 'ioredis';
import type { Namespace } from 'socket.io';
import { closeTransport } from './engine.js';
import { ForeignMailbox, PAGE } from './foreign-mailbox.js';
import type { Membership, Past } from './history.js';
import { roomKey, sessionKey } from './keys.js';
import { RedisAway } from './link.js';
import { KIND, decodePacket, encodeValue } from './message.js';
import type { MailboxNode } from './node.js';
import type { Outbox } from './outbox.js';
import {
  type EntryId,
  WHOLE,
  type Position,
  compareIds,
  formatPosition,
  parsePosition,
} from './position.js';
import { type Part, Questions } from './questions.js';
import type { RawEntry, Reader } from './reader.js';

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

/**
 * Why a session is not continued. `unknown`: it ended, was taken already, or stayed away for too long;
 * `position`: it was not where its offset says; `trimmed`: what it missed is not kept any more, or may
 * have been forgotten by Redis; `node`: the mailbox is gone; `redis`: Redis is away.
 */
export type Refusal = 'unknown' | 'position' | 'trimmed' | 'node' | 'redis';

class Unrecoverable extends Error {
  constructor(readonly why: Refusal) {
    super(why);
  }
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
  proven: string,
  now: string,
];

/** Gives lost sessions back: takes them from where they were and finds what they missed. */
export class Recovery {
  readonly questions: Questions;
  private readonly mailboxes = new Map<string, ForeignMailbox>();

  constructor(
    private readonly node: MailboxNode,
    private readonly outbox: Outbox,
    private readonly reader: Reader,
    private readonly failed: (error: unknown) => void,
  ) {
    this.questions = new Questions(node, node.history);
  }

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
      if (fields === null) return this.refuse(new Unrecoverable('unknown'));
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
    if (!after) return this.refuse(new Unrecoverable('position'));
    const kept = rooms.includes(lost.id) ? rooms : [...rooms, lost.id];
    const name = sessionKey(namespace, lost.pid);
    const { sessions } = this.node;
    // The client has left it for the new connection.
    const stale = this.socketOf(namespace, lost.id);
    if (stale) closeTransport(stale);
    sessions.hold(namespace, name, lost.id, kept);
    this.outbox.flush();
    try {
      return await this.find(namespace, lost, after, kept);
    } catch (error) {
      sessions.discard(name);
      return this.refuse(error);
    }
  }

  private refuse(error: unknown): undefined {
    if (error instanceof Unrecoverable) this.node.emit('unrecovered', error.why);
    else if (error instanceof RedisAway) this.node.emit('unrecovered', 'redis');
    else this.failed(error);
    return undefined;
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
  ): Promise<unknown[][]> {
    const reply = await this.move(namespace, lost, rooms);
    if (!reply) throw new Unrecoverable('unknown');
    const [owner, there, here, chain, number, from, memberships, trimmed, nodes, proven, now] =
      reply;
    const me = this.node.nodeId;
    const stations = stationsOf(chain);
    stations.push({ node: owner, from, to: there });
    const first = stations.findLastIndex(
      ({ node, from: begin, to }) =>
        node === after.node && compareIds(after.id, begin) >= 0 && compareIds(after.id, to) <= 0,
    );
    if (first === -1) throw new Unrecoverable('position');
    const gone = new Map(pairs(trimmed));
    const known = new Map(pairs(nodes));
    const parts: (Part & { node: string; events?: Past[] | undefined })[] = [];
    for (const [index, { node, from: begin, to }] of stations.entries()) {
      if (index < first) continue;
      // What was sent until then it has received, or its offset would not name what came before.
      if (Number.parseInt(to, 10) < Number(proven)) continue;
      let start: Part['after'] = index === first ? after : { id: begin, index: WHOLE };
      const limit = gone.get(node);
      if (limit !== undefined && compareIds(start.id, limit) < 0) {
        if (Number.parseInt(limit, 10) >= Number(proven)) throw new Unrecoverable('trimmed');
        start = { id: limit, index: WHOLE };
      }
      if (start.id === to) continue;
      if (!known.has(node)) throw new Unrecoverable('node');
      const ofStation = membershipOf(memberships, index, Number(number));
      parts.push({ node, namespace, rooms: ofStation, after: start, upTo: to });
    }
    for (const part of parts)
      if (part.node !== me) {
        const lives = Number(known.get(part.node)) > Number(now);
        part.events = await this.elsewhere(part.node, part, lives);
      }
    await this.reader.until(() => compareIds(this.node.entry(), here) >= 0);
    // Meanwhile it may have gone on under another name, and what it read before is forgotten.
    if (this.node.nodeId !== me) throw new Unrecoverable('node');
    // From here on nothing is awaited: what is delivered later, the session gets live.
    const { history } = this.node;
    const found: { node: string; past: Past }[] = [];
    for (const { node, rooms: ofStation, after: start, upTo, events } of parts) {
      if (!events && history.dropped !== undefined && compareIds(start.id, history.dropped) < 0)
        throw new Unrecoverable('trimmed');
      for (const past of events ?? history.between(namespace, ofStation, start, upTo))
        found.push({ node, past });
    }
    const all = membershipOf(memberships, stations.length, stations.length);
    const live = { id: here, index: WHOLE };
    for (const past of history.between(namespace, all, live, this.node.entry()))
      found.push({ node: me, past });
    return found.map(({ node, past }) => argumentsOf(node, past));
  }

  /** Events of another node's mailbox. @throws Unrecoverable when they are too many */
  private async elsewhere(node: string, part: Part, lives: boolean): Promise<Past[]> {
    const { namespace, rooms, after, upTo } = part;
    if (lives && !this.mailboxes.get(node)?.covers(after.id, upTo)) {
      const answer = await this.questions.ask(node, part);
      if (answer) return answer;
    }
    const mailbox = this.mailboxFor(node);
    if (!(await mailbox.load(after.id, upTo))) throw new Unrecoverable('trimmed');
    return mailbox.history.between(namespace, rooms, after, upTo);
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
    const { nodeId, proofMs, settings } = node;
    const args = [nodeId, name, own, notice, marker, prefix, proofMs, settings.leaseMs, ...rooms];
    return (await node.link.run('move', args)) as MoveReply | null;
  }

  private mailboxFor(node: string): ForeignMailbox {
    let mailbox = this.mailboxes.get(node);
    if (!mailbox) {
      const read = (from: EntryId, to: EntryId) => this.page(node, from, to);
      const trimmed = () => this.node.link.call((redis) => redis.hget(this.node.trimmedKey, node));
      mailbox = new ForeignMailbox(read, trimmed, this.node.settings.mailboxBytes);
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
