import { History } from './history.js';
import { FORMAT, baseOf, formatOf } from './keys.js';
import { type Arg, Link, RedisAway } from './link.js';
import { KIND, type Message, encodeValue, messagesOf } from './message.js';
import type { MailboxNode } from './node.js';
import { Others } from './others.js';
import { Outbox } from './outbox.js';
import { type EntryId, type Place, START, WHOLE, following, formatPlace } from './position.js';
import { type RawEntry, Reader } from './reader.js';
import type { Server } from './servers.js';
import { RedisClock } from './redis-clock.js';

/** Arguments of one call while all is written anew. */
const STEP = 500;
/** How long entries of a mailbox are kept that no session can come back for. */
const KEEP_MS = 10_000;

/**
 * One shard of the cluster as a node sees it: connections to the Redis that has it, the node's mailbox
 * there, and what the node writes there.
 */
export class Shard {
  readonly link: Link;
  readonly outbox: Outbox;
  readonly reader: Reader;
  /** Recent events of the node's mailbox. */
  readonly history: History;
  /** What stands in mailboxes of other nodes. */
  readonly others: Others;
  private readonly base: string;
  private readonly clock = new RedisClock();
  /** The process of Redis that the node was last known on. */
  run = '';
  /** Arrivals of sessions in this shard (`arrivals` in `keys.ts`), as of the last renewal. */
  moves = 0;
  /** What Redis has of the node may differ from what it has. */
  private differs = true;
  /** Read back, but served otherwise before: others are to know when they read this mailbox. */
  private unsaid: [EntryId, number][] = [];
  /** The last message of each publisher for which barriers in other shards wait. */
  private readonly read = new Map<number, number>();
  private writtenPlace: { id: EntryId; text: string } = { id: '', text: '' };

  constructor(
    private readonly node: MailboxNode,
    readonly index: number,
    private readonly server: Server,
  ) {
    const { settings } = node;
    this.base = baseOf(settings.prefix, index);
    const fault = (error: unknown) => node.emit('fault', error as Error);
    this.link = new Link(server.connect, this.base, settings.timeoutMs, {
      prepare: () => this.enter(),
      changed: () => node.healthChanged(),
      fenced: (name) => {
        // Several calls may have been on their way.
        if (name === node.nodeId) node.rebirth();
      },
    });
    this.outbox = new Outbox(
      this.link,
      () => node.nodeId,
      () => this.clock.in(settings.timeoutMs),
      () => {
        this.differs = true;
      },
      fault,
    );
    this.history = new History(settings.mailboxBytes);
    this.reader = new Reader(this.link.reader, {
      mailbox: () => this.mailboxOf(node.nodeId),
      entry: (id, fields) => this.receive(id, fields),
      turnEnds: () => this.endTurn(),
      failed: fault,
    });
    this.others = new Others(node, this);
  }

  get trimmedKey(): string {
    return `${this.base}trimmed`;
  }

  mailboxOf(node: string): string {
    return `${this.base}m:${node}`;
  }

  /** @returns node that has a session, and node that has claimed it */
  claimOf(name: string): Promise<(string | null)[]> {
    return this.link.call((redis) => redis.hmget(`${this.base}p:${name}`, 'o', 'y'));
  }

  /** All up to here was delivered on this node. */
  entry(): EntryId {
    return this.reader.position || START;
  }

  /** The same as part of a position, where there are several shards. */
  place(): string {
    const id = this.entry();
    if (this.writtenPlace.id !== id)
      this.writtenPlace = { id, text: formatPlace({ id, index: WHOLE }) };
    return this.writtenPlace.text;
  }

  /** Renews the lease and makes Redis and this node agree. */
  async renew(windowMs: number): Promise<void> {
    this.others.expire();
    if (!this.link.up) return;
    const { nodeId, settings } = this.node;
    const { leaseMs, mailboxBytes } = settings;
    const keepMs = windowMs === 0 ? KEEP_MS : windowMs + this.node.proofMs + leaseMs;
    // A node that was away for a moment is not gone yet where nothing is kept for its sessions.
    const args = [nodeId, leaseMs, Math.max(windowMs, leaseMs), keepMs, mailboxBytes];
    try {
      const asked = performance.now();
      const [now, moves] = (await this.link.run('renew', args)) as [number, number];
      this.moves = moves;
      this.clock.heard(now, asked);
      this.history.expire(now - keepMs);
      if (this.differs && this.link.up) await this.writeAnew();
    } catch {
      // RedisAway: the link has said so and goes on trying.
    }
  }

  /** The node goes on under another name. */
  forget(): void {
    this.run = '';
    this.differs = true;
    this.reader.forget();
    this.history.clear();
    this.unsaid = [];
    this.link.reset('this node was cleared away');
  }

  async leave(): Promise<void> {
    this.outbox.flush();
    try {
      await this.link.run('leave', [this.node.nodeId]);
    } catch {
      // RedisAway: the lease runs out by itself.
    }
    this.reader.close();
    this.link.close();
  }

  /** This event of the mailbox was served otherwise before. */
  wasUnsaid({ id, index }: Place): void {
    this.unsaid.push([id, index]);
  }

  /** A message was read for which barriers wait. */
  hasRead({ publisher, number }: Message): void {
    this.read.set(publisher, number);
  }

  /**
   * Resolves when a message of this mailbox was read, or is not to be expected any more: Redis has
   * forgotten it or is away.
   */
  heard(publisher: number, number: number, run: string): Promise<void> {
    let isLate = false;
    const until = () =>
      isLate ||
      this.run !== run ||
      !this.link.up ||
      // Those of one publisher come in order.
      (this.read.get(publisher) ?? 0) >= number;
    if (until()) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        isLate = true;
        resolve();
      }, this.node.settings.timeoutMs);
      void this.reader.until(until).then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** @returns a promise when the next entry is to wait for it */
  private receive(id: EntryId, [format, batch]: RawEntry[1]): Promise<void> | undefined {
    const { node } = this;
    if (format.toString('latin1') !== FORMAT) {
      node.emit('fault', new Error(`an entry of another format: ${format.toString()}`));
      return undefined;
    }
    let index = 0;
    let held: Promise<void> | undefined;
    try {
      for (const message of messagesOf(batch))
        held = this.take({ id, index: index++ }, message) ?? held;
    } catch (error) {
      node.emit('fault', error as Error);
    }
    return held;
  }

  private take(place: Place, message: Message): Promise<void> | undefined {
    try {
      return this.node.take(this, place, message);
    } catch (error) {
      this.node.emit('fault', error as Error);
      return undefined;
    }
  }

  private endTurn(): void {
    this.node.delivery.endTurn();
    if (this.unsaid.length === 0) return;
    const value = encodeValue(this.unsaid);
    this.unsaid = [];
    this.node.tell(this, this.node.nodeId, { kind: KIND.unsaid, namespace: '', ...value });
  }

  /** Makes the node known on a new connection, and what it has, where that may be in doubt. */
  private async enter(): Promise<void> {
    const { position } = this.reader;
    const { nodeId, settings } = this.node;
    await this.refuseStrange();
    const info = await this.link.call((redis) => redis.info('server'));
    const runs = /run_id:(\w+)/.exec(info)?.[1] ?? '';
    const marker = this.node.blobOf({ kind: KIND.marker, namespace: '' });
    const behind = position === '' ? '*' : following(position);
    const formats = formatOf(this.index, this.node.shards.all.length);
    const args = [nodeId, position, this.run, runs, settings.leaseMs, marker, behind, formats];
    const [anew, id] = (await this.link.run('enter', args)) as [number, EntryId];
    if (this.run !== runs) {
      this.clock.forget();
      this.moves = 0;
      this.read.clear();
    }
    this.run = runs;
    if (position === '') this.reader.start(id);
    if (anew === 1) this.differs = true;
    if (this.differs) await this.writeAnew();
  }

  /** @throws RedisAway another shard lies here: nodes are given the same Redis in the same order */
  private async refuseStrange(): Promise<void> {
    const { strange } = this.server;
    if (strange.length === 0) return;
    const count = await this.link.call((redis) => redis.exists(...strange));
    if (count > 0) throw new RedisAway('failed', 'FORMAT another shard lies on this Redis');
  }

  private async writeAnew(): Promise<void> {
    const { nodeId, sessions } = this.node;
    this.differs = false;
    try {
      const [keys, names] = await this.link.call((redis) =>
        Promise.all([
          redis.smembers(`${this.base}k:${nodeId}`),
          redis.smembers(`${this.base}s:${nodeId}`),
        ]),
      );
      let step: Arg[] = [nodeId];
      for (const operation of sessions.compare(this, new Set(keys), new Set(names))) {
        step.push(...operation);
        if (step.length < STEP) continue;
        await this.link.run('change', step);
        step = [nodeId];
      }
      if (step.length > 1) await this.link.run('change', step);
    } catch (error) {
      this.differs = true;
      throw error;
    }
  }
}
