import { roomKey, serverKey, targetKeys } from './keys.js';
import { type Draft, KIND, encodePacket, encodeValue } from './message.js';
import type { MailboxNode } from './node.js';
import type { How } from './outbox.js';
import { PacketType } from './parser.js';

/** Who is sent an event. */
export interface Target {
  /** Empty or absent: everyone in the namespace. A session in two of them gets one copy. */
  readonly rooms?: readonly string[];
  /** Rooms (or ids of sessions) that are left out. */
  readonly except?: readonly string[];
  /** A session that is not ready may miss it, and it is not recovered. */
  readonly volatile?: boolean;
  readonly compress?: boolean;
  /** Nodes that hand the event to sessions say so, by this name (`tagged`). */
  readonly tag?: string | undefined;
  /** Text for the nodes that hand the event to sessions (`delivered`): no session sees it. */
  readonly context?: string | undefined;
}

export interface MailboxEvent {
  readonly namespace: string;
  /** Name and arguments. */
  readonly event: readonly unknown[];
  readonly target?: Target;
}

/** Makes sessions on all nodes join or leave rooms. */
export interface MailboxRelocation {
  readonly namespace: string;
  readonly action: 'join' | 'leave';
  readonly target: Target;
  readonly rooms: readonly string[];
}

/** Something that nodes tell nodes; no session sees it. */
export interface MailboxNotice {
  readonly namespace: string;
  /** To the nodes with sessions in these; empty: to all that serve the namespace. */
  readonly rooms: readonly string[];
  /** Anything that Socket.IO can send. */
  readonly body: unknown;
}

export type MailboxMessage = MailboxEvent | MailboxRelocation | MailboxNotice;

/** A message that is not numbered yet, and for whom it is. */
export interface Post {
  readonly how: How;
  /** Interest keys, or nodes. */
  readonly keys: readonly string[];
  readonly draft: Draft;
  /** Keys of rooms that sessions leave by it. */
  readonly left?: readonly string[];
}

export function eventPost(
  node: MailboxNode,
  namespace: string,
  event: readonly unknown[],
  { rooms = [], except = [], volatile = false, compress = true, tag, context }: Target = {},
): Post {
  const draft = {
    kind: KIND.event,
    volatile,
    compress,
    takesOffset: node.windowMs > 0 && (!volatile || typeof event.at(-1) === 'string'),
    namespace,
    rooms,
    except,
    ...(tag !== undefined && { tag }),
    ...(context !== undefined && { context }),
    ...encodePacket({ type: PacketType.EVENT, nsp: namespace, data: [...event] }),
  };
  return { how: 'e', keys: targetKeys(namespace, rooms), draft };
}

/** `SOCKETS_JOIN` and `SOCKETS_LEAVE` among the cluster messages of socket.io-adapter. */
const TYPES = { join: 4, leave: 5 } as const;

export function relocationPost(
  node: MailboxNode,
  { namespace, action, target: { rooms: of = [], except = [] }, rooms }: MailboxRelocation,
): Post {
  const keysOfRooms = rooms.map((room) => roomKey(namespace, room));
  const joined = action === 'join' ? keysOfRooms : [];
  const data = { opts: { rooms: of, except, flags: {} }, rooms };
  const value = encodeValue({ uid: node.nodeId, type: TYPES[action], data });
  return {
    how: joined.length > 0 ? `j${joined.length}` : 'l',
    keys: [...targetKeys(namespace, of), ...joined],
    draft: { kind: KIND.cluster, namespace, ...value },
    ...(action === 'leave' && { left: keysOfRooms }),
  };
}

export function noticePost({ namespace, rooms, body }: MailboxNotice): Post {
  const keys = rooms.length === 0 ? [serverKey(namespace)] : targetKeys(namespace, rooms);
  return { how: 'e', keys, draft: { kind: KIND.notice, namespace, rooms, ...encodeValue(body) } };
}
