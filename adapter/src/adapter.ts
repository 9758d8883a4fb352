import type { Namespace } from 'socket.io';
import {
  Adapter,
  type BroadcastOptions,
  ClusterAdapter,
  type ClusterMessage,
  type ClusterResponse,
  type Session,
} from 'socket.io-adapter';
import type { Packet } from 'socket.io-parser';
import { writeMissed } from './delivery.js';
import { encoderOf, findSocket, skipsMiddlewares } from './engine.js';
import { roomKey, serverKey, targetKeys } from './keys.js';
import type { RedisAway } from './link.js';
import { type Draft, KIND, type Message, encodePacket, encodeValue } from './message.js';
import type { MailboxNode } from './node.js';
import { type Missed, argumentsOf } from './passages.js';
import { Encoder, PacketType } from './parser.js';
import { relocatedBy } from './relocations.js';
import { Requests } from './requests.js';

/** Stands for this node where the cluster adapter would ignore a message from itself. */
const SELF = 'self';

/** Socket.IO's adapter of one namespace on this node. */
export class MailboxAdapter extends ClusterAdapter {
  private readonly node: MailboxNode;
  private readonly questions: Requests;
  private readonly name: string;
  /** The next `serverCount` is of a broadcast with acknowledgements, whose answers come summed up. */
  private answersAsOne = false;

  /** By id: what a session missed that is being given back. */
  private readonly missed = new Map<string, readonly Missed[]>();

  constructor(namespace: Namespace, node: MailboxNode) {
    super(namespace);
    this.name = namespace.name;
    this.node = node;
    this.questions = new Requests();
    node.addAdapter(this);
  }

  override close(): Promise<void> {
    this.questions.close();
    return this.node.removeAdapter(this);
  }

  override async serverCount(): Promise<number> {
    if (this.answersAsOne) return 1;
    return this.node.serverCount();
  }

  override addAll(id: string, rooms: Set<string>): Promise<void> {
    // Socket.IO makes a session join its own room right before it says that it is connected.
    if (this.missed.has(id) && (this.nsp as Namespace).sockets.has(id))
      queueMicrotask(() => this.giveMissed(id));
    const joined = this.node.sessions.joining(this, id, rooms);
    void super.addAll(id, rooms);
    return joined();
  }

  override del(id: string, room: string): Promise<void> {
    if (!this.sids.get(id)?.has(room)) return Promise.resolve();
    void super.del(id, room);
    return this.node.sessions.left(this, id, room);
  }

  override delAll(id: string): void {
    this.missed.delete(id);
    if (!this.sids.has(id)) return;
    const ended = this.node.sessions.ending(this, id);
    super.delAll(id);
    ended();
  }

  override persistSession(session: Session): void {
    this.node.sessions.lost(this.name, session);
  }

  override async restoreSession(pid: string, offset: string): Promise<Session> {
    const { recovery } = this.node;
    const lost = await recovery.claim(this.name, pid);
    const missed = lost && (await recovery.missed(this.name, lost, offset, lost.rooms));
    if (!missed) return null as never;
    const session = { sid: lost.id, pid, rooms: [...lost.rooms], data: lost.data };
    return { ...session, missedPackets: this.afterConnect(lost.id, missed) };
  }

  /** Writes what a session missed, if that was not done yet. */
  giveMissed(id: string): void {
    const missed = this.missed.get(id);
    this.missed.delete(id);
    const socket = missed && findSocket(this.nsp as Namespace, id);
    if (socket && missed.length > 0) writeMissed(this, socket, missed);
  }

  /**
   * What comes before the packet that says that a session is back, a client keeps: it would have that
   * twice if the connection ended in between. Where middleware runs live events may come as early.
   */
  private afterConnect(id: string, missed: readonly Missed[]): unknown[][] {
    if (!skipsMiddlewares(this.nsp as Namespace)) return missed.map(argumentsOf);
    const later = { forEach: () => void this.missed.set(id, missed) };
    return later as unknown as unknown[][];
  }

  // Stock awaits Redis before it delivers here; this node delivers when it reads back.
  override async broadcast(packet: Packet, opts: BroadcastOptions): Promise<void> {
    if (opts.flags?.local) {
      this.broadcastHere(packet, opts);
      return;
    }
    const post = { how: 'e', keys: this.keysOf(opts), draft: this.draftOf(packet, opts) } as const;
    this.node.post(post, undefined, (fault) =>
      fault.instead(() => this.broadcastHere(packet, opts, true)),
    );
  }

  /**
   * To sessions of this node, at once.
   * @param instead it was published: who comes back is to say that it has received it
   */
  broadcastHere(packet: Packet, opts: BroadcastOptions, instead = false): void {
    const data = packet.data as unknown[];
    // A client takes a last argument that is a string for its offset.
    const takesOffset =
      (instead && opts.flags?.volatile !== true) || typeof data.at(-1) === 'string';
    const isEvent = packet.id === undefined && packet.type === PacketType.EVENT;
    const position = takesOffset && isEvent ? this.node.position() : undefined;
    const whole = position === undefined ? packet : { ...packet, data: [...data, position] };
    Adapter.prototype.broadcast.call(this, whole, opts);
  }

  private draftOf(packet: Packet, opts: BroadcastOptions): Draft {
    const { rooms, except, flags } = opts;
    const encoder = encoderOf(this);
    const whole = { ...packet, nsp: this.name };
    const own = encoder instanceof Encoder;
    const encoded = own ? (encoder.encode(whole) as [string, ...Buffer[]]) : undefined;
    const { text, attachments } = encoded
      ? { text: encoded[0], attachments: encoded.slice(1) as Buffer[] }
      : encodePacket(whole);
    const isVolatile = flags?.volatile === true;
    const data = packet.data as unknown[];
    return {
      kind: KIND.event,
      volatile: isVolatile,
      compress: flags?.compress !== false,
      takesOffset:
        this.node.windowMs > 0 &&
        packet.type === PacketType.EVENT &&
        packet.id === undefined &&
        (!isVolatile || typeof data.at(-1) === 'string'),
      namespace: this.name,
      rooms,
      except: except ?? [],
      text,
      attachments,
    };
  }

  /** Where sessions are that these options may address. */
  private keysOf({ rooms }: Pick<BroadcastOptions, 'rooms'>): string[] {
    return targetKeys(this.name, [...rooms]);
  }

  override broadcastWithAck(
    packet: Packet,
    opts: BroadcastOptions,
    clientCountCallback: (clientCount: number) => void,
    ack: (...args: unknown[]) => void,
  ): void {
    // Socket.IO asks how many servers will answer in the same turn, right after this.
    this.answersAsOne = true;
    queueMicrotask(() => {
      this.answersAsOne = false;
    });
    const alone = () =>
      Adapter.prototype.broadcastWithAck.call(this, packet, opts, clientCountCallback, ack);
    if (opts.flags?.local) return alone();
    const { timeout = 0 } = opts.flags ?? {};
    const requestId = this.questions.askForAcks(clientCountCallback, ack, timeout);
    const message = { type: 3, data: { packet, requestId, opts: encodeOptions(opts) } };
    this.ask(this.keysOf(opts), message, requestId, alone);
  }

  override async addSockets(opts: BroadcastOptions, rooms: string[]): Promise<void> {
    const message = { type: 4, data: { opts: encodeOptions(opts), rooms } };
    const here = () => Adapter.prototype.addSockets.call(this, opts, rooms);
    await this.command(opts, message, here, { joined: rooms });
  }

  override async delSockets(opts: BroadcastOptions, rooms: string[]): Promise<void> {
    const message = { type: 5, data: { opts: encodeOptions(opts), rooms } };
    const here = () => Adapter.prototype.delSockets.call(this, opts, rooms);
    await this.command(opts, message, here, { left: rooms });
  }

  override async disconnectSockets(opts: BroadcastOptions, close: boolean): Promise<void> {
    await this.command(opts, { type: 6, data: { opts: encodeOptions(opts), close } }, () =>
      Adapter.prototype.disconnectSockets.call(this, opts, close),
    );
  }

  override async sockets(rooms: Set<string>): Promise<Set<string>> {
    const found = await this.fetchSockets({ rooms });
    return new Set(found.map(({ id }: { id: string }) => id));
  }

  override fetchSockets(opts: BroadcastOptions): Promise<{ id: string }[]> {
    const here = () => Adapter.prototype.fetchSockets.call(this, opts);
    if (opts.flags?.local) return here();
    return new Promise((resolve, reject) => {
      const { timeout } = opts.flags ?? {};
      const requestId = this.questions.askForAll(timeout, (error, found) => {
        if (error) reject(error);
        else resolve(found.flat() as { id: string }[]);
      });
      const message = { type: 7, data: { requestId, opts: encodeOptions(opts) } };
      this.ask(this.keysOf(opts), message, requestId, () => {
        this.questions.drop(requestId);
        here().then(resolve, reject);
      });
    });
  }

  override async serverSideEmit(packet: unknown[]): Promise<void> {
    const ack = packet.at(-1);
    if (typeof ack !== 'function') {
      const draft = this.clusterDraft({ type: 9, data: { packet } });
      this.node.post({ how: 'e', keys: [serverKey(this.name)], draft });
      return;
    }
    const args = packet.slice(0, -1);
    const requestId = this.questions.askForAll(undefined, ack as never);
    const message = { type: 9, data: { requestId, packet: args } };
    this.ask(
      [serverKey(this.name)],
      message,
      requestId,
      () => this.questions.expect(requestId, []),
      true,
    );
  }

  /** A message for the adapter of this namespace was read. */
  receive(message: Message, decoded: ClusterMessage): void {
    const isOwn = decoded.uid === this.node.nodeId;
    if (isResponse(decoded)) return this.onResponse(decoded);
    // Whoever emits to the servers is not among those who hear it.
    if (decoded.type === 9 && isOwn) return;
    this.onMessage({
      ...decoded,
      uid: isOwn ? SELF : decoded.uid,
      nsp: message.namespace,
    });
    const relocated = relocatedBy(decoded);
    if (relocated) this.node.sessions.relocate(this.name, relocated);
  }

  override onResponse(response: ClusterResponse): void {
    this.questions.answered(response);
  }

  /** The cluster adapter publishes by other ways here; all that is left is answers. */
  override doPublish(): Promise<string> {
    return Promise.reject(new Error('not used'));
  }

  override doPublishResponse(requester: string, response: ClusterResponse): Promise<void> {
    const whole = { ...response, uid: this.node.nodeId, nsp: this.name };
    if (requester === SELF) this.onResponse(whole);
    else this.node.answer(requester, this.clusterDraft(whole));
    return Promise.resolve();
  }

  private clusterDraft(message: { type: number; data?: unknown }): Draft {
    const whole = { uid: this.node.nodeId, ...message };
    return { kind: KIND.cluster, namespace: this.name, ...encodeValue(whole) };
  }

  /** Resolves when every node with such sessions will do it before anything published later. */
  private command(
    opts: BroadcastOptions,
    message: { type: number; data: unknown },
    present: () => void,
    { joined = [], left = [] }: { joined?: readonly string[]; left?: readonly string[] } = {},
  ): Promise<void> {
    const here = () => {
      present();
      this.node.sessions.relocate(this.name, relocatedBy(message as ClusterMessage)!);
    };
    if (opts.flags?.local) {
      here();
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const refused = (fault: RedisAway) => {
        fault.instead(here);
        resolve();
      };
      const keys = this.keysOf(opts);
      for (const room of joined) keys.push(roomKey(this.name, room));
      const how = joined.length > 0 ? (`j${joined.length}` as const) : 'l';
      const draft = this.clusterDraft(message);
      const keysLeft = left.map((room) => roomKey(this.name, room));
      this.node.post({ how, keys, draft, left: keysLeft }, () => resolve(), refused);
    });
  }

  private ask(
    keys: readonly string[],
    message: { type: number; data: unknown },
    requestId: string,
    refused: () => void,
    others = false,
  ): void {
    const sent = (nodes: readonly string[] | undefined) => {
      const asked = others ? nodes?.filter((node) => node !== this.node.nodeId) : nodes;
      this.questions.expect(requestId, asked ?? []);
    };
    const away = (fault: RedisAway) => fault.instead(refused);
    this.node.post({ how: 'q', keys, draft: this.clusterDraft(message) }, sent, away);
  }
}

function isResponse(message: ClusterMessage | ClusterResponse): message is ClusterResponse {
  return message.type === 8 || message.type >= 10;
}

function encodeOptions({ rooms, except, flags }: BroadcastOptions) {
  return { rooms: [...rooms], except: [...(except ?? [])], flags: flags ?? {} };
}
