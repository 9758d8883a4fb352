import type { Namespace } from 'socket.io';
import { MailboxAdapter } from './adapter.js';
import { type Health, RedisAway, type RedisConnect } from './link.js';
import { MailboxNode } from './node.js';
import type { NodeEvents } from './node-settings.js';
import { PacketType } from './parser.js';
import { argumentsOf } from './passages.js';
import {
  type MailboxMessage,
  type MailboxNotice,
  type Post,
  type Target,
  eventPost,
  noticePost,
  relocationPost,
} from './posts.js';
import type { LostSession } from './recovery.js';
import { type RedisSource, serversOf } from './servers.js';
import { type Guard, type Together, publishTogether } from './together.js';

export type { Guard, Health, LostSession, MailboxMessage, RedisConnect, Target, Together };
export { RedisAway };

export interface MailboxOptions {
  /** Where all names in Redis begin. Default `socket.io`. */
  prefix?: string;
  /**
   * How long a lost session can come back and mailboxes are kept; 0: not at all. Default: what the
   * server's `connectionStateRecovery` says.
   */
  recoverySeconds?: number;
  /** Longest time that a call to Redis may take: then Redis counts as away. Default 1000. */
  timeoutMs?: number;
  /** Bytes that one node's mailbox holds at most, in Redis and in the node, in each shard. Default 64 MiB. */
  mailboxBytes?: number;
  /**
   * Parts that the rooms are spread over, the same on all nodes; 16 at most. An event is delivered once
   * whatever shards its rooms lie in, but one order for all holds only within a shard. Default: one on
   * each Redis.
   */
  shards?: number;
  /** A node that has not renewed its lease for so long counts as dead. Default 10,000. */
  leaseMs?: number;
}

/** For the `adapter` option of a Socket.IO server, and all that a server may ask of it. */
export interface Mailbox {
  (namespace: Namespace): MailboxAdapter;
  new (namespace: Namespace): MailboxAdapter;
  /** Names this node; another one after it was taken for dead. */
  readonly nodeId: string;
  readonly health: Health;
  on<E extends keyof NodeEvents>(event: E, listener: (...args: NodeEvents[E]) => void): void;
  /** Position of this node now, for a session that has received nothing yet; undefined: no recovery. */
  position(): string | undefined;
  /**
   * Sends an event (name and arguments) to sessions on all nodes.
   * @returns the id of the message, when Redis has it and this node has delivered it, if it is for its
   *   sessions: it has the same place in the order of every session
   * @throws RedisAway when it was not taken in time, or not read back before Redis was away: if Redis took it
   *   nevertheless it is still delivered, on this node unless `deliverLocally` was at once called in its place
   */
  publish(namespace: string, event: readonly unknown[], target?: Target): Promise<string>;
  /**
   * Sends several messages in one step of Redis in which a script of the caller's decides what becomes
   * of each: all of it happens, or nothing. They are delivered on this node when they are read back,
   * also when the answer does not come: whether it happened is then for the caller to find out.
   * @param messages 64 at most, and better not more than 256 KB of them
   * @throws RedisAway `timeout`: not known whether it happened; else it did not
   */
  publishTogether(messages: readonly MailboxMessage[], guard: Guard): Promise<Together>;
  /**
   * Sends an event to sessions of this node, at once.
   * @param instead what `publish` rejected with, when it is delivered in its place: Redis may have taken
   *   it nevertheless, and nobody is to get it twice
   */
  deliverLocally(
    namespace: string,
    event: readonly unknown[],
    target?: Target,
    instead?: RedisAway,
  ): void;
  /**
   * Resolves when what is published from then on will reach the sessions of this node in the rooms
   * that they are in now, or when Redis is away.
   */
  settled(): Promise<void>;
  /**
   * Resolves when this node has delivered all that Redis had accepted before the call, or when Redis
   * is away; never rejects.
   */
  caughtUp(): Promise<void>;
  /** Of the event that is being handed to sessions right now, if it has one. */
  readonly deliveringTag: string | undefined;
  /**
   * Tells something to nodes that have sessions in these rooms, or to all when there are none: they
   * hear `notice`, in order with what is published.
   * @throws RedisAway
   */
  notify(notice: MailboxNotice): Promise<void>;
  /**
   * Makes sessions on all nodes join rooms. Resolves when what is published from then on will arrive.
   * @throws RedisAway nobody has joined, unless Redis takes it late
   */
  joinAll(namespace: string, target: Target, rooms: readonly string[]): Promise<void>;
  /** Makes sessions on all nodes leave rooms. @throws RedisAway */
  leaveAll(namespace: string, target: Target, rooms: readonly string[]): Promise<void>;
  /** Writes `socket.data` as it is now into the record of a session. */
  save(namespace: string, sessionId: string): Promise<void>;
  /** Takes an earlier session, once. Never rejects. */
  claim(namespace: string, pid: string): Promise<LostSession | undefined>;
  /**
   * What a claimed session missed, and has it moved here. Never rejects.
   * @param lost the object that `claim` gave
   */
  missed(
    namespace: string,
    lost: Pick<LostSession, 'id' | 'pid' | 'rooms'>,
    offset: string,
    rooms: readonly string[],
  ): Promise<unknown[][] | undefined>;
  /** Gives up the lease and ends the connections; closing the server does it too. */
  close(): Promise<void>;
}

/**
 * Makes the adapter of one Socket.IO server.
 * @param redis a client whose options are taken for connections of the adapter's own, two for each
 *   shard, or what makes them; several in the same order on all nodes; or a client of a Redis Cluster
 * @throws RangeError for a number of shards that cannot be
 */
export function createAdapter(redis: RedisSource, options: MailboxOptions = {}): Mailbox {
  const { prefix = 'socket.io' } = options;
  const node = new MailboxNode(serversOf(redis, prefix, options.shards), {
    prefix,
    recoverySeconds: options.recoverySeconds,
    timeoutMs: options.timeoutMs ?? 1000,
    mailboxBytes: options.mailboxBytes ?? 64 * 1024 * 1024,
    leaseMs: options.leaseMs ?? 10_000,
  });

  function optionsOf({ rooms = [], except = [], volatile, compress, context }: Target) {
    return {
      rooms: new Set(rooms),
      except: new Set(except),
      flags: {
        ...(volatile === true && { volatile }),
        ...(compress !== undefined && { compress }),
        // For whoever looks at what is handed to sessions here (`apply`), as on other adapters.
        ...(context !== undefined && { context }),
      },
    };
  }

  const api: Pick<Mailbox, keyof Mailbox> = {
    get nodeId() {
      return node.nodeId;
    },
    get health() {
      return node.health;
    },
    on(event, listener) {
      node.on(event, listener as never);
    },
    position: () => node.position(),
    publish(namespace, event, target = {}) {
      return new Promise((resolve, reject) => {
        const post = eventPost(node, namespace, event, target);
        const id = node.post(post, () => resolve(id), reject);
      });
    },
    publishTogether(messages, guard) {
      const posts = messages.map((message) =>
        'event' in message
          ? eventPost(node, message.namespace, message.event, message.target)
          : 'body' in message
            ? noticePost(message)
            : relocationPost(node, message),
      );
      return publishTogether(node, posts, guard);
    },
    deliverLocally(namespace, event, target = {}, instead?: RedisAway) {
      const adapter = node.sessions.adapters.get(namespace);
      const packet = { type: PacketType.EVENT, nsp: namespace, data: [...event] };
      const deliver = () =>
        adapter?.broadcastHere(packet, optionsOf(target), instead !== undefined);
      if (instead) instead.instead(deliver);
      else deliver();
    },
    settled: () => node.settled(),
    caughtUp: () => node.places.caughtUp(),
    get deliveringTag() {
      return node.delivery.tag;
    },
    notify: (notice) => send(node, noticePost(notice)),
    joinAll: (namespace, target, rooms) =>
      send(node, relocationPost(node, { action: 'join', namespace, target, rooms })),
    leaveAll: (namespace, target, rooms) =>
      send(node, relocationPost(node, { action: 'leave', namespace, target, rooms })),
    async save(namespace, sessionId) {
      const adapter = node.sessions.adapters.get(namespace);
      if (adapter) await node.sessions.save(adapter, sessionId);
    },
    claim: (namespace, pid) => node.recovery.claim(namespace, pid),
    missed: async (...args) => (await node.recovery.missed(...args))?.map(argumentsOf),
    close: () => node.close(),
  };

  const make = function adapterOf(namespace: Namespace) {
    return new MailboxAdapter(namespace, node);
  };
  return Object.defineProperties(make, Object.getOwnPropertyDescriptors(api)) as unknown as Mailbox;
}

function send(node: MailboxNode, post: Post): Promise<void> {
  return new Promise((resolve, reject) => {
    node.post(post, () => resolve(), reject);
  });
}
