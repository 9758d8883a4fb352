import { EventEmitter } from 'node:events';
import type { Namespace } from 'socket.io';
import type { ClusterMessage } from 'socket.io-adapter';
import type { MailboxAdapter } from './adapter.js';
import { Crossing } from './crossing.js';
import { Delivery } from './delivery.js';
import { allSockets, closeTransport, heartbeatMs, recoveryMs } from './engine.js';
import { newNodeId, roomKey } from './keys.js';
import type { Health } from './link.js';
import { type Draft, KIND, OTHERS, type Message, decodeValue, encode } from './message.js';
import type { NodeEvents, NodeSettings } from './node-settings.js';
import type { Letter } from './outbox.js';
import { type Place, formatPlace } from './position.js';
import { Places } from './places.js';
import type { Post } from './posts.js';
import { Recovery } from './recovery.js';
import { relocatedBy } from './relocations.js';
import type { Servers } from './servers.js';
import { Sessions } from './sessions.js';
import type { Shard } from './shard.js';
import { Shards } from './shards.js';
import { Stoppage } from './stoppage.js';

/** Longest time between two renewals of the lease, in ms. */
const RENEW_MS = 1000;

/** What the adapters of one server share: its shards, and what this node has. */
export class MailboxNode extends EventEmitter<NodeEvents> {
  /** Names this node in Redis: a number, so that sets of nodes are small. */
  nodeId = newNodeId();
  readonly shards: Shards;
  readonly sessions: Sessions;
  readonly recovery: Recovery;
  readonly delivery = new Delivery(this);
  readonly places = new Places(this);
  private readonly stoppage: Stoppage;
  private readonly crossing = new Crossing(this);
  private readonly timer: NodeJS.Timeout;
  /** Messages of this node that are no events are counted. */
  private count = 0;
  private window: number;
  private closing: Promise<void> | undefined;
  private wasUp = false;

  constructor(
    private readonly servers: Servers,
    readonly settings: NodeSettings,
  ) {
    super();
    this.window = (settings.recoverySeconds ?? 0) * 1000;
    const fault = (error: unknown) => this.emit('fault', error as Error);
    this.shards = new Shards(this, servers.all);
    this.stoppage = new Stoppage(settings.leaseMs);
    const goneSince = () => this.stoppage.goneSince(this.proofMs);
    this.sessions = new Sessions(this.shards, () => this.window, goneSince, fault);
    this.recovery = new Recovery(this, fault);
    const { leaseMs } = settings;
    this.timer = setInterval(() => this.renew(), Math.min(RENEW_MS, leaseMs / 3));
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

  get health(): Health {
    return this.shards.health;
  }

  /** What a client is given that has received nothing yet. */
  position(): string | undefined {
    if (this.window === 0 || !this.shards.begun) return undefined;
    return this.shards.position(this.nodeId);
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
    return this.shards.settled();
  }

  async serverCount(): Promise<number> {
    try {
      return (await this.shards.anyUp.link.run('count', [this.nodeId])) as number;
    } catch {
      // RedisAway: alone, as far as is known.
      return 1;
    }
  }

  /** @returns the message's id; `refused` is called when Redis did not take it in time */
  post(post: Post, sent?: Letter['sent'], refused?: Letter['refused']): string {
    const { all } = this.shards;
    if (all.length > 1) return this.crossing.post(post, sent, refused);
    const { how, keys, draft } = post;
    const { id, number, blob } = this.write(draft, all[0]!);
    all[0]!.outbox.post({ how, keys, blob, number, sent, refused });
    return id;
  }

  /** A message of this node, for a shard, as it stands in mailboxes, and its id. */
  write(draft: Draft, shard: Shard): { id: string; number: number; blob: Buffer } {
    const number = draft.kind === KIND.event ? shard.nextNumber() : OTHERS + ++this.count;
    const blob = encode(draft, Number(this.nodeId), number);
    return { id: `${this.nodeId}.${number}`, number, blob };
  }

  /** A message to one node, through its mailbox of a shard. @returns the message's id */
  tell(shard: Shard, node: string, draft: Draft, refused?: Letter['refused']): string {
    const { id, number, blob } = this.write(draft, shard);
    shard.outbox.post({ how: 'n', keys: [node], blob, number, refused });
    return id;
  }

  /** An answer to a question of another node's adapter. */
  answer(asker: string, draft: Draft): void {
    this.tell(this.shards.anyUp, asker, draft);
  }

  /** A message that only marks a place, or tells a node something, of this node. */
  blobOf(draft: Draft): Buffer {
    return this.write(draft, this.shards.all[0]!).blob;
  }

  /** Marks a place in its own mailbox. @returns the number of the marker */
  mark(shard: Shard): number {
    const { number, blob } = this.write({ kind: KIND.marker, namespace: '' }, shard);
    shard.outbox.post({ how: 'n', keys: [this.nodeId], blob, number });
    return number;
  }

  /** A message of this node's mailbox. @returns a promise when what follows is to wait for it */
  take(shard: Shard, place: Place, message: Message): Promise<void> | undefined {
    const isSaid =
      message.publisher !== Number(this.nodeId) || shard.outbox.readBack(message.number);
    if (message.kind === KIND.event) {
      this.say(shard, place, message, isSaid);
      return undefined;
    }
    // What the message does comes after what was delivered before it.
    this.delivery.endTurn();
    if (message.kind === KIND.barrier) return this.crossing.passed(message);
    if (message.kind === KIND.marker) this.places.read(shard, message);
    else if (message.kind === KIND.cluster) this.obey(shard, place, message, isSaid);
    else if (message.kind === KIND.crossing) {
      this.obey(shard, place, message, isSaid);
      shard.hasRead(message);
    } else if (message.kind === KIND.notice) this.hear(message, isSaid);
    else if (message.kind === KIND.moved) this.recovery.movedAway(shard.index, place.id, message);
    else if (message.kind === KIND.question) shard.others.questions.asked(message);
    else if (message.kind === KIND.answer) shard.others.questions.answered(message);
    return undefined;
  }

  /** The health of one shard has changed. */
  healthChanged(): void {
    const { health } = this;
    // With several shards another one may be away already.
    if (health.up === this.wasUp && this.shards.all.length > 1) return;
    this.wasUp = health.up;
    this.emit('health', health);
  }

  /**
   * This node was taken for dead, or was too far behind: what its sessions were sent since then is lost.
   * They come back as new ones, and the node goes on under another name.
   */
  rebirth(): void {
    if (this.closing) return;
    this.nodeId = newNodeId();
    this.sessions.forgetAbsent();
    for (const shard of this.shards.all) shard.forget();
    this.emit('fenced');
    for (const adapter of this.sessions.adapters.values())
      for (const socket of allSockets(adapter.nsp as Namespace)) closeTransport(socket);
    this.sessions.forgetAbsent();
  }

  private say(shard: Shard, { id, index }: Place, message: Message, isSaid: boolean): void {
    const { takesOffset, volatile } = message;
    if (this.window > 0 && takesOffset && !volatile) shard.history.add({ id, index, message });
    if (!isSaid) return;
    this.delivery.add(message, takesOffset ? `,"${this.offsetOf(shard, id, index)}"]` : '');
  }

  /** Position behind an event that is being delivered. */
  private offsetOf(shard: Shard, id: string, index: number): string {
    const { all } = this.shards;
    if (all.length === 1) return `${this.nodeId}.${id}.${index}${shard.doubts.suffix}`;
    let text = this.nodeId;
    for (const each of all) text += each === shard ? formatPlace({ id, index }) : each.place();
    return text + this.shards.suffix;
  }

  private hear(message: Message, isSaid: boolean): void {
    if (isSaid) this.emit('notice', message.namespace, message.route.rooms, decodeValue(message));
  }

  private obey(shard: Shard, place: Place, message: Message, isSaid: boolean): void {
    const { namespace, kind } = message;
    const value = decodeValue(message) as ClusterMessage;
    const relocated = relocatedBy(value);
    if (relocated && this.window > 0)
      shard.history.relocations.add({ ...place, namespace, ...relocated });
    if (isSaid) this.sessions.adapters.get(namespace)?.receive(message, value);
    if (relocated?.action === 'join' && kind === KIND.cluster)
      this.sessions.relocated(relocated.rooms.map((room) => roomKey(namespace, room)));
  }

  private renew(): void {
    // Who has gone meanwhile is to be noticed before this node counts as having been there.
    if (!this.stoppage.runs()) return;
    this.sessions.expire();
    for (const shard of this.shards.all) void shard.renew(this.window);
  }

  private async end(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.shards.all.map((shard) => shard.leave()));
    this.servers.close();
    this.places.letGo();
  }
}
