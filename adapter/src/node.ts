import { EventEmitter } from 'node:events';
import type { Namespace } from 'socket.io';
import type { ClusterMessage } from 'socket.io-adapter';
import type { MailboxAdapter } from './adapter.js';
import { Delivery } from './delivery.js';
import { allSockets, closeTransport, heartbeatMs, recoveryMs } from './engine.js';
import { History } from './history.js';
import { FORMAT, baseOf, newNodeId } from './keys.js';
import { type Arg, Link, type RedisAway, type RedisConnect } from './link.js';
import {
  type Draft,
  KIND,
  type Message,
  decode,
  decodeValue,
  encode,
  encodeValue,
} from './message.js';
import type { NodeEvents, NodeSettings } from './node-settings.js';
import { type How, Outbox } from './outbox.js';
import { type EntryId, WHOLE, following, formatPosition } from './position.js';
import { Places } from './places.js';
import { Reader } from './reader.js';
import { Recovery } from './recovery.js';
import { RedisClock } from './redis-clock.js';
import { Sessions } from './sessions.js';

/** Longest time between two renewals of the lease, in ms. */
const RENEW_MS = 1000;
/** Arguments of one call while all is written anew. */
const STEP = 500;
/** `SOCKETS_JOIN` among the cluster messages of socket.io-adapter. */
const JOIN = 4;
/** How long entries of a mailbox are kept that no session can come back for. */
const KEEP_MS = 10_000;

/** What the adapters of one server share: connections, mailbox, and what this node has. */
export class MailboxNode extends EventEmitter<NodeEvents> {
  /** Names this node in Redis: a number, so that sets of nodes are small. */
  nodeId = newNodeId();
  readonly link: Link;
  readonly sessions: Sessions;
  readonly recovery: Recovery;
  readonly history: History;
  private readonly base: string;
  private readonly reader: Reader;
  private readonly outbox: Outbox;
  readonly delivery = new Delivery(this);
  readonly places = new Places(this);
  private readonly timer: NodeJS.Timeout;
  /** Messages of this node are counted. */
  private count = 0;
  /** The process of Redis that this node was last known on. */
  private run = '';
  /** What Redis has of this node may differ from what it has. */
  private differs = true;
  private window: number;
  private closing: Promise<void> | undefined;
  /** Read back, but served otherwise before: others are to know when they read this mailbox. */
  private readonly clock = new RedisClock();
  private unsaid: [EntryId, number][] = [];

  constructor(
    connect: RedisConnect,
    readonly settings: NodeSettings,
  ) {
    super();
    this.window = (settings.recoverySeconds ?? 0) * 1000;
    this.base = baseOf(settings.prefix);
    const fault = (error: unknown) => this.emit('fault', error as Error);
    this.link = new Link(connect, this.base, settings.timeoutMs, {
      prepare: () => this.enter(),
      changed: (health) => this.emit('health', health),
      fenced: (node) => {
        // Several calls may have been on their way.
        if (node === this.nodeId) this.rebirth();
      },
    });
    this.outbox = new Outbox(
      this.link,
      () => this.nodeId,
      () => this.clock.in(settings.timeoutMs),
      () => {
        this.differs = true;
      },
      fault,
    );
    this.sessions = new Sessions(
      this.outbox,
      () => this.window,
      () => this.entry(),
      fault,
    );
    this.history = new History(settings.mailboxBytes);
    this.reader = new Reader(this.link.reader, {
      mailbox: () => this.mailboxOf(this.nodeId),
      entry: (id, fields) => this.receive(id, fields),
      turnEnds: () => this.endTurn(),
      failed: fault,
    });
    this.recovery = new Recovery(this, this.outbox, this.reader, fault);
    const { leaseMs } = settings;
    this.timer = setInterval(() => void this.renew(), Math.min(RENEW_MS, leaseMs / 3));
    this.timer.unref();
  }

  /** For how long a lost session may come back; 0: not at all. */
  get windowMs(): number {
    return this.window;
  }

  /** Within so long a session that receives has proven it. */
  get proofMs(): number {
    let longest = 0;
    for (const { nsp } of this.sessions.adapters.values())
      longest = Math.max(longest, heartbeatMs(nsp as Namespace));
    return longest;
  }

  /** For how long entries of a mailbox are kept. */
  private get keepMs(): number {
    return this.window === 0 ? KEEP_MS : this.window + this.proofMs;
  }

  get trimmedKey(): string {
    return `${this.base}trimmed`;
  }

  mailboxOf(node: string): string {
    return `${this.base}m:${node}`;
  }

  /** All up to here was delivered on this node. */
  entry(): EntryId {
    return this.reader.position || '0-0';
  }

  /** What a client is given that has received nothing yet. */
  position(): string | undefined {
    if (this.window === 0 || this.reader.position === '') return undefined;
    return formatPosition({ node: this.nodeId, id: this.reader.position, index: WHOLE });
  }

  addAdapter(adapter: MailboxAdapter): void {
    const namespace = adapter.nsp as Namespace;
    const { recoverySeconds } = this.settings;
    const ofServer = recoveryMs(namespace);
    this.window = ofServer > 0 && recoverySeconds !== undefined ? recoverySeconds * 1000 : ofServer;
    this.sessions.addNamespace(adapter);
  }

  /** With the last one the node ends. */
  async removeAdapter(adapter: MailboxAdapter): Promise<void> {
    const removed = this.sessions.removeNamespace(adapter);
    if (this.sessions.adapters.size === 0) await this.close();
    else await removed;
  }

  /** Gives up the lease and the connections; sessions can be continued elsewhere. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  /** Resolves when Redis has all that sessions have joined and left until now, or is away. */
  settled(): Promise<void> {
    return this.outbox.change(() => []);
  }

  async serverCount(): Promise<number> {
    try {
      return (await this.link.run('count', [this.nodeId])) as number;
    } catch {
      // RedisAway: alone, as far as is known.
      return 1;
    }
  }

  /** @returns the message's id; `refused` is called when Redis did not take it in time */
  post(
    keys: readonly string[],
    draft: Draft,
    sent?: (nodes: readonly string[] | undefined) => void,
    refused?: (fault: RedisAway) => void,
    how: How = 'e',
  ): string {
    const { id, number, blob } = this.write(draft);
    this.outbox.post({
      how,
      keys,
      blob,
      number,
      ...(sent && { sent }),
      ...(refused && { refused }),
    });
    return id;
  }

  /** A message of this node as it stands in mailboxes, and its id. */
  write(draft: Draft): { id: string; number: number; blob: Buffer } {
    const number = ++this.count;
    const blob = encode(draft, Number(this.nodeId), number);
    return { id: `${this.nodeId}.${number}`, number, blob };
  }

  /** A message that only marks a place, or tells a node something, of this node. */
  blobOf(draft: Draft): Buffer {
    return this.write(draft).blob;
  }

  private receive(id: EntryId, fields: readonly Buffer[]): void {
    for (let index = 0; index + 1 < fields.length; index += 2) {
      if (fields[index]!.toString('latin1') !== FORMAT) {
        this.emit('fault', new Error(`an entry of another format: ${fields[index]!.toString()}`));
        continue;
      }
      try {
        this.take(id, index / 2, decode(fields[index + 1]!));
      } catch (error) {
        this.emit('fault', error as Error);
      }
    }
  }

  private take(id: EntryId, index: number, message: Message): void {
    const isSaid =
      message.publisher !== Number(this.nodeId) || this.outbox.readBack(message.number);
    if (!isSaid) this.unsaid.push([id, index]);
    if (message.kind === KIND.event) {
      if (isSaid) this.say(id, index, message);
      return;
    }
    // What the message does comes after what was delivered before it.
    this.delivery.endTurn();
    if (message.kind === KIND.marker) return this.places.read(message);
    if (message.kind === KIND.cluster) this.obey(message, isSaid);
    else if (message.kind === KIND.notice) this.hear(message, isSaid);
    else if (message.kind === KIND.moved)
      this.recovery.movedAway(message.namespace, decodeValue(message) as never);
    else if (message.kind === KIND.question) this.recovery.questions.asked(message);
    else if (message.kind === KIND.answer) this.recovery.questions.answered(message);
  }

  private say(id: EntryId, index: number, message: Message): void {
    const { takesOffset, volatile } = message;
    if (this.window > 0 && takesOffset && !volatile) this.history.add({ id, index, message });
    this.delivery.add(message, takesOffset ? `,"${this.nodeId}.${id}.${index}"]` : '');
  }

  private hear(message: Message, isSaid: boolean): void {
    if (isSaid) this.emit('notice', message.namespace, message.rooms, decodeValue(message));
  }

  private obey(message: Message, isSaid: boolean): void {
    const { namespace } = message;
    const value = decodeValue(message) as ClusterMessage;
    if (isSaid) this.sessions.adapters.get(namespace)?.receive(message, value);
    if (value.type === JOIN) this.sessions.relocated(namespace, value.data.rooms);
  }

  private endTurn(): void {
    this.delivery.endTurn();
    if (this.unsaid.length === 0) return;
    const value = encodeValue(this.unsaid);
    this.unsaid = [];
    const draft = { kind: KIND.unsaid, namespace: '', ...value };
    this.post([this.nodeId], draft, undefined, undefined, 'n');
  }

  /** Makes this node known on a new connection, and what it has, where that may be in doubt. */
  private async enter(): Promise<void> {
    const { position } = this.reader;
    const info = await this.link.call((redis) => redis.info('server'));
    const runs = /run_id:(\w+)/.exec(info)?.[1] ?? '';
    const marker = this.blobOf({ kind: KIND.marker, namespace: '' });
    const behind = position === '' ? '*' : following(position);
    const { leaseMs } = this.settings;
    const args = [this.nodeId, position, this.run, runs, leaseMs, marker, behind];
    const [anew, id] = (await this.link.run('enter', args)) as [number, EntryId];
    if (this.run !== runs) this.clock.forget();
    this.run = runs;
    if (position === '') this.reader.start(id);
    if (anew === 1) this.differs = true;
    if (this.differs) await this.writeAnew();
  }

  private async writeAnew(): Promise<void> {
    this.differs = false;
    try {
      const [keys, names] = await this.link.call((redis) =>
        Promise.all([
          redis.smembers(`${this.base}k:${this.nodeId}`),
          redis.smembers(`${this.base}s:${this.nodeId}`),
        ]),
      );
      let step: Arg[] = [this.nodeId];
      for (const operation of this.sessions.compare(new Set(keys), new Set(names))) {
        step.push(...operation);
        if (step.length < STEP) continue;
        await this.link.run('change', step);
        step = [this.nodeId];
      }
      if (step.length > 1) await this.link.run('change', step);
    } catch (error) {
      this.differs = true;
      throw error;
    }
  }

  private async renew(): Promise<void> {
    this.sessions.expire();
    this.recovery.expire();
    if (!this.link.up) return;
    const { leaseMs, mailboxBytes } = this.settings;
    // A node that was away for a moment is not gone yet where nothing is kept for its sessions.
    const windowMs = Math.max(this.window, leaseMs);
    try {
      const args = [this.nodeId, leaseMs, windowMs, this.keepMs, mailboxBytes];
      const asked = performance.now();
      const now = (await this.link.run('renew', args)) as number;
      this.clock.heard(now, asked);
      this.history.expire(now - this.keepMs);
      if (this.differs && this.link.up) await this.writeAnew();
    } catch {
      // RedisAway: the link has said so and goes on trying.
    }
  }

  /**
   * This node was taken for dead: what its sessions were sent since then is lost. They come back as new
   * ones, and the node goes on under another name.
   */
  private rebirth(): void {
    if (this.closing) return;
    this.nodeId = newNodeId();
    this.run = '';
    this.differs = true;
    this.reader.forget();
    this.history.clear();
    this.unsaid = [];
    this.sessions.forgetAbsent();
    this.link.reset('this node was cleared away');
    this.emit('fenced');
    for (const adapter of this.sessions.adapters.values())
      for (const socket of allSockets(adapter.nsp as Namespace)) closeTransport(socket);
    this.sessions.forgetAbsent();
  }

  private async end(): Promise<void> {
    clearInterval(this.timer);
    this.outbox.flush();
    try {
      await this.link.run('leave', [this.nodeId]);
    } catch {
      // RedisAway: the lease runs out by itself.
    }
    this.reader.close();
    this.link.close();
    this.places.letGo();
  }
}
