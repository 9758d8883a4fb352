import { Doubts } from './doubts.js';
import { History } from './history.js';
import { FORMAT, baseOf, formatOf } from './keys.js';
import { type Arg, Link, RedisAway } from './link.js';
import { KIND, type Message, messagesOf } from './message.js';
import type { MailboxNode } from './node.js';
import { Others } from './others.js';
import { Outbox } from './outbox.js';
import {
  type EntryId,
  type Place,
  START,
  WHOLE,
  compareIds,
  following,
  formatPlace,
} from './position.js';
import { type RawEntry, Reader } from './reader.js';
import { type Relocation, type Undone, undoneOf } from './relocations.js';
import type { Server } from './servers.js';
import { RedisClock } from './redis-clock.js';

/** Arguments of one call while all is written anew. */
const STEP = 500;
/** How long it is known which sessions were made to join and leave: longer than a return takes. */
const RELOCATIONS_MS = 30_000;
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
  /** What was refused, but may come nevertheless. */
  readonly doubts: Doubts;
  readonly clock = new RedisClock();
  private readonly base: string;
  /** The process of Redis that the node was last known on. */
  run = '';
  /** The marker with which reading began, on the process that Redis is. */
  private entered: EntryId = START;
  /** Arrivals of sessions in this shard (`arrivals` in `keys.ts`), as of the last renewal. */
  moves = 0;
  /** What Redis has of the node may differ from what it has. */
  private differs = true;
  private isWriting = false;
  /** Records say what this node has made of its sessions up to here; empty: not known yet. */
  private done: EntryId = '';
  /** Behind what was taken last of an entry that is not through yet. */
  private within: Place | undefined;
  /** Events for this shard are counted. */
  private count = 0;
  /** The last message of each publisher for which barriers in other shards wait. */
  private readonly read = new Map<number, number>();
  private writtenPlace: { id: EntryId; text: string } = { id: '', text: '' };

  constructor(
    private readonly node: MailboxNode,
    readonly index: number,
    private readonly server: Server,
    private readonly shards: number,
  ) {
    const { settings } = node;
    this.doubts = new Doubts(shards);
    this.base = baseOf(settings.prefix, index);
    const fault = (error: unknown) => node.emit('fault', error as Error);
    this.link = new Link(server.connect, this.base, settings.timeoutMs, {
      prepare: () => this.enter(),
      changed: ({ up, reason }) => {
        if (!up) this.outbox.giveUp(reason ?? 'Redis is away');
        this.reader.wake();
        node.healthChanged();
      },
      fenced: (name) => {
        // Several calls may have been on their way.
        if (name === node.nodeId) node.rebirth();
      },
    });
    this.outbox = new Outbox(
      this.link,
      this.doubts,
      () => node.nodeId,
      () => this.clock.in(settings.timeoutMs),
      () => this.entry(),
      () => {
        this.differs = true;
      },
      fault,
    );
    this.history = new History(settings.mailboxBytes);
    this.reader = new Reader(this.link.reader, {
      mailbox: () => this.mailboxOf(node.nodeId),
      entry: (id, fields) => this.receive(id, fields),
      turnEnds: () => {
        node.delivery.endTurn();
        this.outbox.delivered();
      },
      failed: fault,
    });
    this.others = new Others(node, this);
  }

  /** @returns up to where a mailbox cannot be recovered; undefined when it was cleared away */
  async trimmed(node: string): Promise<EntryId | null | undefined> {
    const [limit, known] = await this.link.call((redis) =>
      Promise.all([
        redis.hget(`${this.base}trimmed`, node),
        redis.zscore(`${this.base}nodes`, node),
      ]),
    );
    return known === null ? undefined : limit;
  }

  /**
   * What a node may have read, and not done to sessions whose records say that it is done up to `done`.
   * @throws RedisAway
   */
  async undone(node: string, done: EntryId): Promise<Undone | undefined> {
    const [relocated, read] = await this.link.call((redis) =>
      Promise.all([
        redis.hget(`${this.base}relocated`, node),
        redis.hget(`${this.base}read`, node),
      ]),
    );
    return undoneOf(relocated, read, done);
  }

  /**
   * Relocations of a mailbox that may not be done; those of its own when they are read.
   * @returns undefined when they are not known any more
   * @throws RedisAway
   */
  async relocations(
    node: string,
    { after, upTo }: Undone,
  ): Promise<readonly Relocation[] | undefined> {
    if (node !== this.node.nodeId) return this.others.relocations(node, after, upTo);
    await this.caughtUp(upTo);
    return this.history.relocations.between(after, upTo);
  }

  mailboxOf(node: string): string {
    return `${this.base}m:${node}`;
  }

  /** @returns node that has a session, and node that has claimed it */
  claimOf(name: string): Promise<(string | null)[]> {
    return this.link.call((redis) => redis.hmget(`${this.base}p:${name}`, 'o', 'y'));
  }

  /** Whether Redis has what it was told of sessions here, as far as it is known. */
  get agrees(): boolean {
    return !this.differs && !this.isWriting;
  }

  /** All up to here was delivered on this node. */
  entry(): EntryId {
    return this.reader.position || START;
  }

  /** The same within an entry: also while what the entry carries is being delivered. */
  reached(): Place {
    return this.within ?? { id: this.entry(), index: WHOLE };
  }

  /** The same as part of a position, where there are several shards. */
  place(): string {
    const id = this.entry();
    if (this.writtenPlace.id !== id)
      this.writtenPlace = { id, text: formatPlace({ id, index: WHOLE }) };
    return this.writtenPlace.text;
  }

  /**
   * Resolves when this node has delivered all up to an entry, and knows of all that it served itself
   * whether Redis had taken it.
   * @throws RedisAway
   */
  async caughtUp(to: EntryId): Promise<void> {
    const isAway = () => !this.link.takesChanges;
    const isThere = () => compareIds(this.entry(), to) >= 0 && !this.doubts.hasServed;
    await this.reader.until(() => isAway() || isThere());
    if (!isThere()) throw new RedisAway('unavailable', 'Redis is away');
  }

  /** Renews the lease and makes Redis and this node agree. */
  async renew(windowMs: number): Promise<void> {
    this.others.expire();
    if (!this.link.up) return;
    const { nodeId, settings } = this.node;
    const { leaseMs, mailboxBytes } = settings;
    const keepMs = windowMs === 0 ? KEEP_MS : windowMs + this.node.proofMs + leaseMs;
    // A node that was away for a moment is not gone yet where nothing is kept for its sessions.
    const { come } = this.reader;
    // What was trimmed before it began is none of its own.
    const read = come !== '' && compareIds(come, this.entered) < 0 ? this.entered : come;
    const keptMs = Math.max(windowMs, leaseMs);
    const args = [nodeId, leaseMs, keptMs, keepMs, mailboxBytes, read, this.run, this.done];
    void this.node.shards.recorded(this.entry()).then((entry) => {
      if (entry && nodeId === this.node.nodeId) this.done = entry;
    });
    try {
      const asked = performance.now();
      const [now, moves] = (await this.link.run('renew', args)) as [number, number];
      this.moves = moves;
      this.clock.heard(now, asked);
      this.history.expire(now - keepMs);
      this.history.relocations.forget(`${now - RELOCATIONS_MS}-0`);
      if (this.doubts.canEnd(now)) this.doubts.endAt(this.node.mark(this));
      if (this.differs && this.link.up) await this.writeAnew();
    } catch {
      // RedisAway: the link has said so and goes on trying.
    }
  }

  /** The node goes on under another name. */
  forget(): void {
    this.run = '';
    this.differs = true;
    this.done = '';
    this.reader.forget();
    this.history.clear();
    this.doubts.close();
    this.link.reset('this node was cleared away');
  }

  async leave(): Promise<void> {
    this.outbox.flush();
    try {
      await this.link.run('leave', [this.node.nodeId]);
    } catch {
      // RedisAway: the lease runs out by itself.
    }
    this.outbox.end();
    this.reader.close();
    this.link.close();
  }

  /** Number of the next event for this shard: none has that of another one. */
  nextNumber(): number {
    return ++this.count * this.shards + this.index;
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
      for (const message of messagesOf(batch)) {
        const place = { id, index: index++ };
        held = this.take(place, message) ?? held;
        this.within = place;
      }
    } catch (error) {
      node.emit('fault', error as Error);
    }
    this.within = undefined;
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

  /** Makes the node known on a new connection, and what it has, where that may be in doubt. */
  private async enter(): Promise<void> {
    const { position } = this.reader;
    const { nodeId, settings } = this.node;
    await this.refuseStrange();
    const info = await this.link.call((redis) => redis.info('server'));
    const runs = /run_id:(\w+)/.exec(info)?.[1] ?? '';
    const marker = this.node.write({ kind: KIND.marker, namespace: '' }, this);
    const behind = position === '' ? '*' : following(position);
    const formats = formatOf(this.index, this.node.shards.all.length);
    const { leaseMs } = settings;
    const args = [nodeId, position, this.run, runs, leaseMs, marker.blob, behind, formats];
    const asked = performance.now();
    const reply = (await this.link.run('enter', args)) as [number, EntryId, string];
    const [anew, id, now] = [reply[0], reply[1], Number(reply[2])];
    const isOther = this.run !== runs;
    if (isOther) {
      this.clock.forget();
      this.moves = 0;
      this.read.clear();
    }
    this.run = runs;
    this.clock.heard(now, asked);
    // Another process executes nothing of what the old one was sent.
    if (isOther || this.doubts.canEnd(now)) this.doubts.endAt(marker.number);
    if (position === '') this.reader.start(id);
    if (anew === 1) {
      this.differs = true;
      this.entered = id;
    }
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
    this.isWriting = true;
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
    } finally {
      this.isWriting = false;
    }
  }
}
