import type { ServerOptions } from 'socket.io';
import type { NoticeListener, TaggedListener } from './listeners.js';
import type { NoticeBody } from './notices.js';
import type { Origin } from './origin.js';
import type { Registry } from './registry.js';
import type { Session } from './session.js';

/** An event on its way to sessions, cluster-wide. */
export interface Publication {
  readonly namespace: string;
  /** Room names, or `*` for everyone in the namespace. A session in two of them gets one copy. */
  readonly to: readonly string[] | '*';
  /** Rooms whose sessions are left out. */
  readonly except?: readonly string[];
  /** Sessions that are left out (a sender), by their ids. */
  readonly exceptSessions?: readonly string[];
  readonly event: string;
  readonly args: readonly unknown[];
  /** A session that is not ready may miss it, and it is not recovered. */
  readonly volatile?: boolean;
  /** Of an event that an inbox keeps: every node that hands it to sessions hears the tag. */
  readonly tag?: string;
  /** Where it comes from: travels with it, and no session sees it. */
  readonly origin?: Origin | undefined;
}

/** Room membership of users, changed on every node that has a session of theirs. */
export interface Relocation {
  readonly namespace: string;
  readonly action: 'join' | 'leave';
  readonly users: readonly string[];
  readonly room: string;
}

/** Something that nodes tell nodes, in order with the events; no session sees it. */
export interface Notice {
  readonly namespace: string;
  /** The nodes with a session in one of these rooms, or all nodes. */
  readonly to: readonly string[] | 'nodes';
  readonly body: NoticeBody;
}

/** What a command makes the backplane do. */
export type Act = Publication | Relocation | Notice;

/** An earlier session that may be continued. Nothing of it is given before the token is verified. */
export interface LostSession {
  /** The continued session keeps it. */
  readonly id: string;
  readonly userId: string;
  /** Room names. */
  readonly rooms: readonly string[];
  /** As in `SessionData`. */
  readonly inbox: SessionData['inbox'];
}

export interface BackplaneHealth {
  /** False while Redis cannot be reached (or answers too late). `memory` is always up. */
  readonly up: boolean;
  /** Milliseconds since the epoch of the last change. */
  readonly since: number;
  /** Why it is away; never carries a URL or password. */
  readonly reason: string | undefined;
  /** About Redis' own settings: eviction policy, AOF, memory near its limit. */
  readonly warnings: readonly string[];
}

/**
 * What carries an event from the node that took it to the nodes that hold its sessions, and who is
 * where. `memory`, `streams`, `pubsub` (and `mailbox`, our own) stand behind it; one contract suite
 * runs over all. Nobody outside calls `io.emit`: it swallows failures.
 */
export interface Backplane {
  readonly kind: 'memory' | 'mailbox' | 'streams' | 'pubsub';
  /** Names this node in the cluster; new at every start. */
  readonly nodeId: string;
  /** Whether lost sessions can be continued. */
  readonly recovers: boolean;
  /** For the Socket.IO server: its adapter, and connection state recovery when it recovers. */
  readonly serverOptions: Pick<Partial<ServerOptions>, 'adapter' | 'connectionStateRecovery'>;
  readonly registry: Registry;

  /** Connects and takes the node's lease. Does not fail while Redis is away: it goes on trying. */
  start(): Promise<void>;
  /** Gives up the lease and closes connections; sessions are expected to be closed already. */
  close(): Promise<void>;

  health(): BackplaneHealth;
  onHealthChange(listener: (health: BackplaneHealth) => void): void;

  /**
   * Delivers to every session addressed, on every node, this one included.
   * @returns the id that the backplane gave it, when it gives ids
   * @throws GatewayError `backplane_unavailable` when it was not accepted in time: nothing was
   *   delivered on this node, other nodes may still receive it
   */
  publish(publication: Publication): Promise<string | undefined>;
  /** Delivers to sessions of this node only, at once. */
  deliverLocally(publication: Publication): void;
  /** Whether a session of this node is in the room: known without Redis (`adapter.rooms`). */
  hasLocal(namespace: string, room: string): boolean;
  /**
   * Who is in a room, on all nodes, which are asked: user id -> sessions.
   * @throws GatewayError `backplane_unavailable`
   */
  members(namespace: string, room: string): Promise<Map<string, number>>;
  /** @throws GatewayError `backplane_unavailable` */
  relocate(relocation: Relocation): Promise<void>;

  /**
   * To the nodes that it is for, this one included, in order with what is published.
   * @throws GatewayError `backplane_unavailable`
   */
  notify(notice: Notice): Promise<void>;
  /** A listener must not throw, and passes over kinds that it does not know. */
  onNotice(listener: NoticeListener): void;
  /** The listener hears of each tagged event right after it was handed to sessions of this node. */
  onTagged(listener: TaggedListener): void;
  /** Of the event that is being handed to sessions right now, if it has one. */
  readonly deliveringTag: string | undefined;
  /**
   * Resolves when all that Redis had accepted before the call has been delivered on this node, or
   * when Redis is away; never rejects.
   */
  caughtUp(): Promise<void>;

  /**
   * Several acts and what is to be recorded of them, as one script: all of it or nothing, and
   * nothing between. Only on a backplane that can.
   * @param acts 64 at most, and better not more than 256 KB of them
   * @param guard Lua that may call `publish(i)` for the i-th act (from 1), `send()`, `redis.call`, and read
   *   `args`
   * @returns what the guard returned
   * @throws GatewayError `backplane_unavailable`: the outcome is not known
   */
  together?(acts: readonly Act[], guard: Guard): Promise<unknown>;

  /**
   * Resolves when what is published from then on will arrive in all rooms that sessions of this node
   * are in now; undefined: it will already.
   */
  settled(): Promise<void> | undefined;
  /** Resolves when events published after it to these rooms will arrive. */
  join(session: Session, rooms: readonly string[]): Promise<void>;
  leave(session: Session, rooms: readonly string[]): Promise<void>;
  /**
   * Writes the session's `SessionData` as it is now; resolves when another node would read it, or
   * when Redis is away. What a lost session had at the end is written anyway.
   */
  save(session: Session): Promise<void>;

  /** The namespace's position now, for a session that has received nothing yet. */
  offset(namespace: string): string | undefined;
  /**
   * Takes an earlier session, once: a second call with the same pid gets undefined. Not using what
   * it returns discards the session.
   * @param pid the private session id that the client was given
   * @returns undefined when unknown or too old, or while Redis is away; never rejects
   */
  claim(namespace: string, pid: string): Promise<LostSession | undefined>;
  /**
   * What a claimed session missed: arguments of each event, name first and its offset last, in
   * order. Nothing addressed to these rooms falls between the result and what is delivered live to
   * sockets that join them before control goes back to the event loop.
   * @param offset position of the last event that it received
   * @param rooms the rooms that it may still be in, of those it had
   * @returns undefined when that is too long ago to know; never rejects
   */
  missed(
    namespace: string,
    lost: LostSession,
    offset: string,
    rooms: readonly string[],
  ): Promise<unknown[][] | undefined>;
}

/** What a script does around the acts it carries. */
export interface Guard {
  readonly lua: string;
  readonly args: readonly (string | number | Buffer)[];
}

/** What Socket.IO persists of a session: written by `edge/`, read back by `claim`. */
export interface SessionData {
  userId: string;
  /**
   * `unread`: its inbox has not been looked into, and nothing was sent to it; where something lies
   * there it starts anew. `unproven`: it was sent events of its inbox that it may not have received.
   * They are not recovered: it starts anew and is sent them again.
   */
  inbox?: 'unread' | 'unproven' | undefined;
}
