import { crc32 } from 'node:zlib';
import type { Arg, Health } from './link.js';
import type { MailboxNode } from './node.js';
import type { Change } from './outbox.js';
import { type EntryId, formatEntries, formatPosition } from './position.js';
import type { Server } from './servers.js';
import { Shard } from './shard.js';

/** All shards of the cluster, and which of them has what. */
export class Shards {
  readonly all: readonly Shard[];
  /** Changes of records that are not with their shards yet. */
  private waiting: (() => void)[] = [];

  constructor(node: MailboxNode, servers: readonly Server[]) {
    this.all = servers.map((server, index) => new Shard(node, index, server, servers.length));
  }

  /** Where an interest key, or the record of a session by its name, lies: by its CRC-32. */
  of(key: string): Shard {
    const { all } = this;
    return all.length === 1 ? all[0]! : all[crc32(key) % all.length]!;
  }

  /** For what all of them can do. */
  get anyUp(): Shard {
    return this.all.find(({ link }) => link.up) ?? this.all[0]!;
  }

  /** Up only while all are; the reason names the shard where there are several. */
  get health(): Health {
    const { all } = this;
    const worst = all.find(({ link }) => !link.up) ?? all[0]!;
    const { health } = worst.link;
    if (all.length === 1) return health;
    if (!health.up) return { ...health, reason: `shard ${worst.index}: ${health.reason}` };
    return { ...health, since: Math.max(...all.map(({ link }) => link.health.since)) };
  }

  /** Whether the node knows its place in all of them. */
  get begun(): boolean {
    return this.all.every(({ reader }) => reader.position !== '');
  }

  /** All up to here was delivered on this node, as records hold it. */
  entries(): string {
    return formatEntries(this.all.map((shard) => shard.entry()));
  }

  /** All up to here was delivered on this node, as clients are given it. */
  position(node: string): string {
    const places = this.all.map((shard) => shard.reached());
    return formatPosition({ node, places }) + this.suffix;
  }

  /** What positions say of events that were served in place of what Redis refused. */
  get suffix(): string {
    const { all } = this;
    return all.length === 1
      ? all[0]!.doubts.suffix
      : all.map(({ doubts }) => doubts.suffix).join('');
  }

  /** Changes the interest with this key. Resolves as `Outbox.change` does. */
  change(key: string, change: Change): Promise<void> {
    return this.of(key).outbox.change(change);
  }

  /**
   * Changes the record of a session.
   * @param nameOf is asked when it is sent: a session that connects has no name before
   */
  changeRecord(
    nameOf: () => string | undefined,
    change: (name: string) => readonly Arg[],
  ): Promise<void> {
    const { all } = this;
    if (all.length === 1)
      return all[0]!.outbox.change(() => {
        const name = nameOf();
        return name === undefined ? [] : change(name);
      });
    return new Promise((resolve) => {
      this.waiting.push(() => {
        const name = nameOf();
        resolve(name === undefined ? undefined : this.change(name, () => change(name)));
      });
      if (this.waiting.length === 1) setImmediate(() => this.route());
    });
  }

  /** Changes for each of these keys. Resolves when all are where they belong. */
  async changeEach(keys: readonly string[], change: (key: string) => readonly Arg[]) {
    const { all } = this;
    if (all.length === 1) return all[0]!.outbox.change(() => keys.flatMap(change));
    await Promise.all(keys.map((key) => this.change(key, () => change(key))));
  }

  /** Resolves with the later one of two changes; within one shard that is the second. */
  both(first: Promise<void>, second: Promise<void>): Promise<void> {
    return this.all.length === 1 ? second : Promise.all([first, second]).then(() => undefined);
  }

  /** Resolves when all changes until now are in Redis, or it is away. */
  async settled(): Promise<void> {
    this.route();
    await Promise.all(this.all.map(({ outbox }) => outbox.change(() => [])));
  }

  /** @returns the entry when Redis has all changes until now; undefined: it may lack some */
  async recorded(entry: EntryId): Promise<EntryId | undefined> {
    await this.settled();
    return this.all.every(({ agrees }) => agrees) ? entry : undefined;
  }

  /** Sends what waits, now. */
  flush(): void {
    this.route();
    for (const { outbox } of this.all) outbox.flush();
  }

  private route(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const put of waiting) put();
  }
}
