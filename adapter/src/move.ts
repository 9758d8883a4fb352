import { namespaceKey, roomKey, sessionKey } from './keys.js';
import type { Arg } from './link.js';
import { type Draft, KIND, encodeValue } from './message.js';
import type { MailboxNode } from './node.js';
import { type EntryId, formatEntries, parseEntries } from './position.js';
import { type Undone, undoneOf } from './relocations.js';
import type { Shard } from './shard.js';
import type { Changes } from './stays.js';

/** A station of a session: a node, and the parts of its mailboxes, by shard, that it lived through. */
export interface Station {
  readonly node: string;
  readonly from: readonly EntryId[];
  readonly to: readonly EntryId[];
}

/** What is known of the mailboxes of one shard at a move. */
export interface Arrival {
  /** This node's entry behind which the session's events are its own. */
  readonly here: EntryId;
  /** By node: up to where its mailbox cannot be recovered. */
  readonly trimmed: ReadonlyMap<string, EntryId>;
  /** By node: end of its lease, in ms by the clock there; what is absent was cleared away. */
  readonly nodes: ReadonlyMap<string, number>;
  readonly now: number;
  /** What was sent to it until then it has received, in ms. */
  readonly proven: number;
  /** Of the mailbox that it had. */
  readonly undone: Undone | undefined;
}

export interface Move {
  /** In order, the one before the move last. */
  readonly stations: readonly Station[];
  /** Number of the last station. */
  readonly number: number;
  /** Each room that it was in and since when, as in the record; not all of them are kept. */
  readonly rooms: readonly (readonly [room: string, since: string])[];
  /** By shard. */
  readonly arrivals: readonly Arrival[];
}

/** A session that is moved, and where it is to be. */
interface Moving {
  readonly namespace: string;
  readonly id: string;
  readonly pid: string;
  readonly rooms: readonly string[];
  readonly changes: Changes | undefined;
  /** For the node that it was on, where there is one shard. */
  readonly question: Draft | undefined;
}

type Settled = [
  owner: string,
  chain: string,
  number: string,
  from: string,
  done: string,
  rooms: string[],
  proven: string,
  now: string,
];
type Arrived = [
  there: EntryId,
  here: EntryId,
  trimmed: string[],
  nodes: string[],
  now: string,
  relocated: EntryId | null,
  read: EntryId | null,
];

/**
 * Moves a claimed session to this node.
 * @returns undefined: it was not claimed by this node, or the mailbox that it had is gone
 * @throws RedisAway
 */
export async function move(node: MailboxNode, moving: Moving): Promise<Move | undefined> {
  return node.shards.all.length === 1 ? moveInOne(node, moving) : moveInSeveral(node, moving);
}

async function moveInOne(node: MailboxNode, moving: Moving): Promise<Move | undefined> {
  const { namespace, id, pid, rooms, changes, question } = moving;
  const [moved, marker] = messagesOf(node, moving);
  const notice = question ? Buffer.concat([moved, node.blobOf(question)]) : moved;
  const { nodeId, proofMs, settings } = node;
  const name = sessionKey(namespace, pid);
  const [own, prefix] = [roomKey(namespace, id), roomKey(namespace, '')];
  const { leaseMs } = settings;
  const { hasLeft = false, joined = [] } = changes ?? {};
  const changed = [hasLeft ? 1 : 0, joined.length, ...joined.flat()];
  const args = [nodeId, name, own, notice, marker, prefix, proofMs, leaseMs, ...changed, ...rooms];
  const reply = await node.shards.all[0]!.link.run('move', args);
  if (reply === null) return undefined;
  const [settled, arrived] = reply as [Settled, Arrived];
  return moveOf(settled, [arrived], 0);
}

/**
 * Interest comes first, in all shards, and only then are the places taken: a message to rooms of
 * several shards, for which nodes were looked up before, is written to the new node too by then.
 */
async function moveInSeveral(node: MailboxNode, moving: Moving): Promise<Move | undefined> {
  const { namespace, id, pid, rooms } = moving;
  const { nodeId, proofMs, settings, shards } = node;
  const name = sessionKey(namespace, pid);
  const home = shards.of(name);
  const keys = [namespaceKey(namespace), ...rooms.map((room) => roomKey(namespace, room))];
  const interest = new Map<Shard, Arg[]>(shards.all.map((shard) => [shard, [nodeId]]));
  for (const key of keys) interest.get(shards.of(key))!.push('i', key);
  const [[owner, claimed]] = await Promise.all([
    home.claimOf(name),
    ...Array.from(interest, ([shard, args]) => shard.link.run('change', args)),
  ]);
  if (!owner || claimed !== nodeId) return undefined;
  const began = performance.now();
  const own = roomKey(namespace, id);
  const [notice, marker] = messagesOf(node, moving);
  const arrived = await Promise.all(
    shards.all.map((shard) => {
      const args = [nodeId, owner, shards.of(own) === shard ? own : '', notice, marker];
      return shard.link.run('arrive', args) as Promise<Arrived | null>;
    }),
  );
  if (!arrived.every((each) => each !== null)) return undefined;
  const there = formatEntries(arrived.map(([entry]) => entry));
  const here = formatEntries(arrived.map(([, entry]) => entry));
  const args = [nodeId, name, proofMs, settings.leaseMs, there, here, ...rooms];
  const settled = (await home.link.run('settle', args)) as Settled | null;
  if (settled === null) return undefined;
  return moveOf(settled, arrived, performance.now() - began);
}

/** What the node that it was on is told, the same in all shards, and what marks the place here. */
function messagesOf(node: MailboxNode, { namespace, id, pid }: Moving): [Buffer, Buffer] {
  const notice = { kind: KIND.moved, namespace, ...encodeValue({ id, pid }) };
  return [node.blobOf(notice), node.blobOf({ kind: KIND.marker, namespace: '' })];
}

/** @param tookMs between the clocks' times at most: those of shards may differ */
function moveOf(settled: Settled, arrived: readonly Arrived[], tookMs: number): Move {
  const [owner, chain, number, from, done, rooms, proven, now] = settled;
  const ended = parseEntries(done);
  const stations = stationsOf(chain);
  const to = arrived.map(([entry]) => entry);
  stations.push({ node: owner, from: parseEntries(from), to });
  const arrivals = arrived.map(([, here, trimmed, nodes, time, relocated, read], index) => ({
    here,
    trimmed: new Map(pairs(trimmed)),
    nodes: new Map(pairs(nodes).map(([other, ends]) => [other, Number(ends)])),
    now: Number(time),
    proven: Number(proven) + Number(time) - Number(now) - tookMs,
    undone: undoneOf(relocated, read, ended[index]!),
  }));
  return { stations, number: Number(number), rooms: pairs(rooms), arrivals };
}

/** `<node> <from> <to> ` again and again. */
function stationsOf(chain: string): Station[] {
  const parts = chain.split(' ');
  const stations: Station[] = [];
  for (let index = 0; index + 2 < parts.length; index += 3)
    stations.push({
      node: parts[index]!,
      from: parseEntries(parts[index + 1]!),
      to: parseEntries(parts[index + 2]!),
    });
  return stations;
}

function pairs(flat: readonly string[]): [string, string][] {
  const all: [string, string][] = [];
  for (let index = 0; index < flat.length; index += 2) all.push([flat[index]!, flat[index + 1]!]);
  return all;
}
