import { type Arg, RedisAway } from './link.js';
import { type Draft, KIND, type Message, decodeValue, encodeValue } from './message.js';
import type { MailboxNode } from './node.js';
import type { How, Letter } from './outbox.js';
import { putPost } from './post-script.js';
import type { Post } from './posts.js';
import type { Shard } from './shard.js';

/** Messages for which nodes are looked up in one call. */
const MOST = 64;

/** Where a message is written, and what must be known or told in other shards. */
interface Route {
  /** The lowest shard of its keys. */
  readonly home: Shard;
  readonly keys: readonly string[];
  /** Keys in other shards, whose nodes are looked up there. */
  readonly elsewhere: ReadonlyMap<Shard, readonly string[]>;
  /** Rooms that sessions join or leave by it; empty when all is in the home shard. */
  readonly rooms: ReadonlyMap<Shard, { joined: readonly string[] }>;
}

interface Lookup {
  readonly keys: readonly string[];
  found(nodes: readonly string[]): void;
  failed(error: unknown): void;
}

/** What holds a mailbox up until another one has been read as far as a message. */
interface Barrier {
  readonly home: number;
  /** The process of Redis that has taken the message. */
  readonly run: string;
  readonly number: number;
  /** Keys that it makes needed. */
  readonly joined: readonly string[];
}

/**
 * Messages where there are several shards. Each is written once, to one shard: so no node delivers it
 * twice. What concerns several first looks up the nodes in the others, and what this node writes to the
 * same shard later waits for it. A message that makes sessions join or leave rooms of other shards is
 * followed by barriers in those: what is published there afterwards is read after it.
 */
export class Crossing {
  /** What messages to a shard wait for. */
  private readonly tails = new Map<Shard, Promise<void>>();
  private readonly lookups = new Map<Shard, Lookup[]>();

  constructor(private readonly node: MailboxNode) {}

  /** @returns the message's id */
  post(post: Post, sent?: Letter['sent'], refused?: Letter['refused']): string {
    const route = this.routeOf(post);
    const { home, elsewhere, rooms } = route;
    const isPlain = elsewhere.size === 0 && rooms.size === 0;
    const { draft } = post;
    const written = this.node.write(
      rooms.size > 0 ? { ...draft, kind: KIND.crossing } : draft,
      home,
    );
    const { id, number, blob } = written;
    const on = { ...(sent && { sent }), ...(refused && { refused }) };
    const tail = this.tails.get(home);
    if (isPlain) {
      const send = () => home.outbox.post({ how: post.how, keys: post.keys, blob, number, ...on });
      if (tail) this.hold([home], tail.then(send));
      else send();
      return id;
    }
    const held = [home, ...[...rooms.keys()].filter((shard) => shard !== home)];
    this.hold(held, this.carry(post, route, { blob, number, ...on }, held));
    return id;
  }

  /** A barrier was read: resolves when what stands behind it may be delivered. */
  async passed(message: Message): Promise<void> {
    const { home, run, number, joined } = decodeValue(message) as Barrier;
    await this.node.shards.all[home]?.heard(message.publisher, number, run);
    this.node.sessions.relocated(joined);
  }

  private routeOf({ how, keys, left = [] }: Post): Route {
    const { shards } = this.node;
    const count = how.startsWith('j') ? Number(how.slice(1)) : 0;
    const addressed = groups(keys.slice(0, keys.length - count), (key) => shards.of(key));
    const home = shards.all.find((shard) => addressed.has(shard))!;
    const joined = groups(keys.slice(keys.length - count), (key) => shards.of(key));
    const rooms = new Map(
      [...groups(left, (key) => shards.of(key)), ...joined].map(([shard]) => [
        shard,
        { joined: joined.get(shard) ?? [] },
      ]),
    );
    if ([...rooms.keys()].every((shard) => shard === home) && addressed.size === 1) rooms.clear();
    const elsewhere = new Map([...addressed].filter(([shard]) => shard !== home));
    return { home, keys: addressed.get(home)!, elsewhere, rooms };
  }

  /** Resolves when it has been sent, or refused; never rejects. */
  private async carry(
    { how, draft }: Post,
    { home, keys, elsewhere, rooms }: Route,
    letter: Omit<Letter, 'how' | 'keys'>,
    held: readonly Shard[],
  ): Promise<void> {
    // Before the nodes are looked up: where sessions arrive from now on it is written too.
    const { moves, run } = home;
    const before = held.map((shard) => this.tails.get(shard));
    try {
      const involved = [home, ...elsewhere.keys(), ...rooms.keys()];
      if (!involved.every(({ link }) => link.up))
        throw new RedisAway('unavailable', 'Redis is away');
      const looks = Array.from(elsewhere, ([shard, there]) => this.look(shard, there));
      const [found] = await Promise.all([Promise.all(looks), ...before]);
      const names = new Set(found.flat());
      const write = (kind: 'a' | 'e' | 'l' | 'q', on: Pick<Letter, 'sent' | 'refused'>) =>
        home.outbox.post({
          ...letter,
          how: `${kind}${names.size} ${moves}`,
          keys: [...keys, ...names],
          ...on,
        });
      if (rooms.size === 0) return write(how === 'q' || how === 'l' ? how : 'e', {});
      const nodes = await new Promise<readonly string[] | undefined>((sent, refused) => {
        write('a', { sent, refused });
      });
      if (!nodes) throw new RedisAway('timeout', 'the answer was not heard');
      const barrier = { home: home.index, run, number: letter.number };
      const barriers = Array.from(rooms, ([shard, { joined }]) =>
        this.bar(shard, nodes, draft, { ...barrier, joined }),
      );
      void Promise.all(barriers).then(
        () => this.tell(() => letter.sent?.(nodes)),
        (error: unknown) => this.tell(() => letter.refused?.(error as RedisAway)),
      );
    } catch (error) {
      this.tell(() => letter.refused?.(error as RedisAway));
    }
  }

  private tell(what: () => void): void {
    try {
      what();
    } catch (error) {
      this.node.emit('fault', error as Error);
    }
  }

  /** Puts a barrier before what is written to these nodes from now on. @throws RedisAway */
  private async bar(
    shard: Shard,
    nodes: readonly string[],
    { namespace }: Draft,
    barrier: Barrier,
  ): Promise<void> {
    if (nodes.length === 0) return;
    const { joined } = barrier;
    const blob = this.node.blobOf({ kind: KIND.barrier, namespace, ...encodeValue(barrier) });
    const how: How = joined.length > 0 ? `n${joined.length}` : 'n';
    shard.outbox.flush();
    // Alone in its entry, so that reading can stop there.
    const args: Arg[] = [this.node.nodeId, 0];
    putPost(args, { how, keys: [...nodes, ...joined], blob });
    await shard.link.run('publish', args);
  }

  /** @returns the nodes in interest keys of a shard @throws RedisAway */
  private look(shard: Shard, keys: readonly string[]): Promise<readonly string[]> {
    return new Promise((found, failed) => {
      const waiting = this.lookups.get(shard) ?? [];
      if (waiting.push({ keys, found, failed }) > 1) return;
      this.lookups.set(shard, waiting);
      setImmediate(() => {
        this.lookups.delete(shard);
        for (let begin = 0; begin < waiting.length; begin += MOST)
          void this.lookUp(shard, waiting.slice(begin, begin + MOST));
      });
    });
  }

  private async lookUp(shard: Shard, lookups: readonly Lookup[]): Promise<void> {
    // What this node has joined before is among what it looks for.
    shard.outbox.flush();
    try {
      const args = lookups.flatMap(({ keys }) => [keys.length, ...keys]);
      const answer = await shard.link.run('nodes', [this.node.nodeId, ...args]);
      for (const [index, lookup] of lookups.entries()) lookup.found((answer as string[][])[index]!);
    } catch (error) {
      for (const lookup of lookups) lookup.failed(error);
    }
  }

  /** What is posted to these shards later waits. */
  private hold(shards: readonly Shard[], until: Promise<void>): void {
    for (const shard of shards) this.tails.set(shard, until);
    void until.finally(() => {
      for (const shard of shards) if (this.tails.get(shard) === until) this.tails.delete(shard);
    });
  }
}

function groups(keys: readonly string[], of: (key: string) => Shard): Map<Shard, string[]> {
  const all = new Map<Shard, string[]>();
  for (const key of keys) {
    const group = all.get(of(key));
    if (group) group.push(key);
    else all.set(of(key), [key]);
  }
  return all;
}
