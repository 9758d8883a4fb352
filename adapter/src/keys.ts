import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * Names in Redis. All of a shard begin with one hash tag, since a script finds the mailboxes it writes
 * to inside it: what a script touches lies in one slot. Behind `base`:
 *
 * - `nodes`: zset, node -> end of its lease (ms by Redis' clock); a node is known while it is in there
 * - `sweeping`: set of nodes that are being cleared away
 * - `trimmed`: hash, node -> entry of its mailbox up to which nothing can be recovered
 * - `read`: hash, node -> entry of its mailbox up to which records say what the node has made of its sessions
 * - `relocated`: hash, node -> last entry of its mailbox that makes sessions join, leave or end
 * - `format`, `run`: version of the formats; Redis process that this was last used on
 * - `moves`, `arrivals`: of several shards: arrivals of sessions on other nodes than before, counted;
 *   zset, node -> number of its last
 * - `m:<node>`: stream, the mailbox of a node
 * - `k:<node>`: set of the interest keys that name the node
 * - `j:<node>`: hash, interest key -> messages in the mailbox that will make sessions join it
 * - `s:<node>`: set of the sessions (names) that the node owns
 * - `p:<session>`: hash, the record of a session: owner `o`, id `s`, data `d`, since when it is absent
 *   `x`, claimed by `y`, earlier stations `c`, their number `k`, where the present one begins `f`, and
 *   when it was lost last before its station `w`, since when it is there `b`, up to where its node's mailbox is carried out in it `q`,
 *   for each room `:<room>` since when it is in there (empty: since the beginning).
 *   Places in mailboxes are entries of all shards, with commas between
 *
 * Interest keys are sets of nodes: `a:<namespace>` that serve it, `n:<namespace>` with a session in
 * it, `r:<namespace>,<room>` with a session in the room. A namespace has no comma.
 */
export function baseOf(prefix: string, shard: number): string {
  return `{${prefix}:${shard}}:`;
}

/** The version of the formats in Redis. */
export const FORMAT = '1';

/** What `format` says: nodes that do not agree on the shards must not write beside each other. */
export function formatOf(shard: number, shards: number): string {
  return shards === 1 ? FORMAT : `${FORMAT} shard ${shard} of ${shards}`;
}

export function serverKey(namespace: string): string {
  return `a:${namespace}`;
}

export function namespaceKey(namespace: string): string {
  return `n:${namespace}`;
}

export function roomKey(namespace: string, room: string): string {
  return `r:${namespace},${room}`;
}

/** Who has sessions that a message to these rooms, or to all, is for. */
export function targetKeys(namespace: string, rooms: readonly string[]): string[] {
  return rooms.length === 0
    ? [namespaceKey(namespace)]
    : rooms.map((room) => roomKey(namespace, room));
}

/** Of an interest key, in 32 bits. */
export function hashOf(key: string): number {
  return crc32(key) | 0;
}

/** @param name the private session id */
export function sessionKey(namespace: string, name: string): string {
  return `${namespace},${name}`;
}

/** A number, so that sets of nodes are small; unique for good with 44 random bits: offsets name nodes that are long gone. */
export function newNodeId(): string {
  return String(randomBytes(6).readUIntBE(0, 6) % 2 ** 44);
}
