import type { Namespace, ServerOptions } from 'socket.io';
import { Adapter, type BroadcastFlags, type BroadcastOptions } from 'socket.io-adapter';
import { GatewayError } from '@streamgate/protocol/errors';
import { userRoom } from '@streamgate/protocol/rooms';
import type { LostSession, Notice, Publication, Relocation, SessionData } from './backplane.js';
import type { Listeners } from './listeners.js';
import { contextOf, delivered } from './origin.js';
import { roomKey, roomName } from './room-key.js';
import type { Session } from './session.js';

/** EVENT of the Socket.IO protocol; the encoder makes BINARY_EVENT of it where there is binary. */
const EVENT = 2;

/** An event as adapters pass it around; `data` is the event's name and its arguments. */
export interface EventPacket {
  readonly type: typeof EVENT;
  readonly nsp: string;
  readonly data: unknown[];
}

/** What stock adapters carry for us between nodes, unread. */
interface Flags extends BroadcastFlags {
  /** Of a tagged event. */
  tag?: string;
  /** Where it comes from. */
  context?: string;
  /** The packet is a notice: no session is sent it. */
  notice?: Pick<Notice, 'to' | 'body'>;
}

interface Options extends Required<BroadcastOptions> {
  flags: Flags;
}

/** Hands a packet to the sessions that it is for, one by one; its types keep it private. */
type Apply = (options: Partial<Options>, hand: (socket: unknown) => void) => void;

/** The Socket.IO adapters of this node by namespace, and all that needs no other node. */
export class LocalAdapters<A extends Adapter = Adapter> {
  private readonly adapters = new Map<string, A>();

  constructor(
    private readonly listeners: Listeners,
    private readonly make: (namespace: Namespace) => A,
  ) {}

  /** For the server's `adapter` option; Socket.IO calls it with `new`. */
  factory(): NonNullable<ServerOptions['adapter']> {
    const hook = (adapter: A, namespace: string) => this.hook(adapter, namespace);
    const { adapters, make } = this;
    return function adapterOf(namespace: Namespace) {
      const adapter = make(namespace);
      hook(adapter, namespace.name);
      adapters.set(namespace.name, adapter);
      return adapter;
    };
  }

  /** Every stock adapter ends here with what it was told by another node. */
  private hook(adapter: A, namespace: string): void {
    const internals = adapter as unknown as { apply: Apply };
    const apply = internals.apply.bind(adapter);
    internals.apply = (options, hand) => {
      const { notice, tag, context } = options.flags ?? {};
      if (notice) return this.hear(namespace, notice);
      const began = Date.now();
      let sessions = 0;
      const deliver = () =>
        apply(options, (socket) => {
          sessions += 1;
          hand(socket);
        });
      if (tag === undefined) deliver();
      else this.listeners.delivering(namespace, targetOf(options), tag, deliver);
      if (sessions > 0) delivered(context === undefined ? [] : [context], 1, sessions, began);
    };
  }

  /** A notice has come to this node; whether it is for it is seen here. */
  hear(namespace: string, { to, body }: Pick<Notice, 'to' | 'body'>): void {
    if (to === 'nodes' || to.some((room) => this.has(namespace, room)))
      this.listeners.notice(namespace, to, body);
  }

  /** @throws GatewayError `unknown_namespace` when no server has it */
  of(namespace: string): A {
    const adapter = this.adapters.get(namespace);
    if (!adapter) throw new GatewayError('unknown_namespace');
    return adapter;
  }

  /** Delivers to sessions of this node, past whatever the adapter does to reach other nodes. */
  deliver(publication: Publication, packet: EventPacket): void {
    const adapter = this.of(publication.namespace);
    Adapter.prototype.broadcast.call(adapter, packet, optionsOf(publication));
  }

  relocate({ namespace, action, users, room }: Relocation): void {
    const adapter = this.of(namespace);
    const change = action === 'join' ? 'addSockets' : 'delSockets';
    Adapter.prototype[change].call(adapter, optionsOf({ to: users.map(userRoom) }), [
      roomKey(room),
    ]);
  }

  has(namespace: string, room: string): boolean {
    return this.adapters.get(namespace)?.rooms.has(roomKey(room)) ?? false;
  }

  /** Who is in a room: user id -> sessions. The adapter asks the other nodes. */
  async members(namespace: string, room: string): Promise<Map<string, number>> {
    const members = new Map<string, number>();
    for (const { data } of await this.of(namespace).nsp.in(roomKey(room)).fetchSockets()) {
      const { userId } = data as SessionData;
      members.set(userId, (members.get(userId) ?? 0) + 1);
    }
    return members;
  }

  /** A session that has ended joins nothing. */
  async join(session: Session, rooms: readonly string[]): Promise<void> {
    await this.of(session.namespace).nsp.sockets.get(session.id)?.join(rooms.map(roomKey));
  }

  async leave(session: Session, rooms: readonly string[]): Promise<void> {
    const socket = this.of(session.namespace).nsp.sockets.get(session.id);
    await Promise.all(rooms.map((room) => socket?.leave(roomKey(room))));
  }
}

/**
 * @param offset where the event stands; undefined when it has no position of its own
 * @param position the namespace's present one, on backplanes that recover: the client takes a last
 *   argument that is a string for its offset, so behind such an argument something must follow
 */
export function packetOf(
  { namespace, event, args }: Publication,
  offset?: string,
  position?: string,
): EventPacket {
  const data = [event, ...args];
  if (offset !== undefined) data.push(offset);
  else if (position !== undefined && typeof data.at(-1) === 'string') data.push(position);
  return { type: EVENT, nsp: namespace, data };
}

/** No room has this name: a node of the release before sends a notice to nobody. */
const NOBODY = 'notice';

/** A notice as a packet that stock adapters carry. */
export function packetOfNotice({ namespace, to, body }: Notice) {
  const packet: EventPacket = { type: EVENT, nsp: namespace, data: [''] };
  const flags: Flags = { volatile: true, notice: { to, body } };
  return { packet, opts: { rooms: [NOBODY], except: [] as string[], flags } };
}

/** Room names -> what adapters address; everyone is an empty set. */
export function optionsOf(
  publication: Pick<
    Publication,
    'to' | 'except' | 'exceptSessions' | 'volatile' | 'tag' | 'origin'
  >,
): Options {
  const { to, except = [], exceptSessions = [], volatile, tag, origin } = publication;
  const excepted = new Set([...except.map(roomKey), ...exceptSessions]);
  return {
    rooms: new Set(to === '*' ? [] : to.map(roomKey)),
    except: excepted,
    flags: {
      ...(volatile && { volatile }),
      ...(tag !== undefined && { tag }),
      ...(origin && { context: contextOf(origin) }),
    },
  };
}

/** The reverse, as far as it goes. */
function targetOf({ rooms }: Partial<Options>): readonly string[] | '*' {
  return rooms?.size ? namesOf(rooms) : '*';
}

/** A session's own room is no room. */
export function namesOf(keys: Iterable<string>): string[] {
  return Array.from(keys, roomName).filter((room) => room !== undefined);
}

/** What Socket.IO gives an adapter of a session that was lost. */
export type Persisted = Parameters<Adapter['persistSession']>[0];

/** What of it the edge decides on. */
export function lostSession({ sid, rooms, data }: Persisted): LostSession {
  const { userId, inbox } = data as SessionData;
  return { id: sid, userId, rooms: namesOf(rooms), inbox };
}

/** Whether a session in these rooms (keys, its own id among them) was addressed. */
export function isAddressed(
  keys: readonly string[],
  { rooms, except }: { rooms: ReadonlySet<string>; except: ReadonlySet<string> },
): boolean {
  return (
    (rooms.size === 0 || keys.some((key) => rooms.has(key))) && !keys.some((key) => except.has(key))
  );
}
