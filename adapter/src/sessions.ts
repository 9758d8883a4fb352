import type { Namespace } from 'socket.io';
import type { Adapter, Session } from 'socket.io-adapter';
import { type Absent, absence, keysOf } from './absent.js';
import type { MailboxAdapter } from './adapter.js';
import { anySocket, findSocket, privateId } from './engine.js';
import { namespaceKey, roomKey, serverKey, sessionKey } from './keys.js';
import type { Arg } from './link.js';
import { type Relocated, concerns } from './relocations.js';
import type { Shard } from './shard.js';
import type { Shards } from './shards.js';

type Lost = Pick<Session, 'sid' | 'pid' | 'rooms' | 'data'>;

/**
 * What this node needs and which sessions it has, kept in Redis as it changes: a key of interest goes
 * there with the first session that has it and leaves with the last, absent ones included.
 */
export class Sessions {
  readonly adapters = new Map<string, MailboxAdapter>();
  private readonly absent = new Map<string, Absent>();
  /** Names of the absent, by namespace and id. */
  private readonly names = new Map<string, string>();
  /** Names of the absent that hold a key. */
  private readonly held = new Map<string, Set<string>>();
  /** Whose record is about to be written with all that it has by then. */
  private readonly arriving = new Set<string>();

  /**
   * @param windowMs how long a lost session may come back; 0: no records are kept
   * @param goneSince when a session may have gone that is found to be gone now, by `performance.now()`
   */
  constructor(
    private readonly shards: Shards,
    private readonly windowMs: () => number,
    private readonly goneSince: () => number,
    private readonly failed: (error: unknown) => void,
  ) {}

  addNamespace(adapter: MailboxAdapter): void {
    const { name } = adapter.nsp as Namespace;
    this.adapters.set(name, adapter);
    void this.need(serverKey(name));
  }

  removeNamespace(adapter: Adapter): Promise<void> {
    const { name } = adapter.nsp as Namespace;
    this.adapters.delete(name);
    return this.release(serverKey(name));
  }

  /**
   * A session is about to join rooms, in memory.
   * @returns to be called when it has; resolves when what is published from then on will arrive
   */
  joining(adapter: Adapter, id: string, rooms: Iterable<string>): () => Promise<void> {
    const { name: namespace } = adapter.nsp as Namespace;
    const isNew = !adapter.sids.has(id);
    const had = adapter.sids.get(id);
    const joined: string[] = [];
    const keys = [namespaceKey(namespace)];
    const needed = new Set<string>();
    for (const room of rooms) {
      if (had?.has(room)) continue;
      joined.push(room);
      const key = roomKey(namespace, room);
      keys.push(key);
      if (!adapter.rooms.has(room) && !this.held.has(key)) needed.add(key);
    }
    const first = adapter.sids.size === 0 && !this.held.has(namespaceKey(namespace));
    if (first) needed.add(namespaceKey(namespace));
    return () => {
      if (joined.length === 0 && !isNew) return Promise.resolve();
      // Also where another session was the first: what it has written must be there.
      const known = this.shards.changeEach(keys, (key) => (needed.has(key) ? ['i', key] : []));
      if (joined.includes(id)) this.arrived(namespace, id);
      if (this.windowMs() === 0) return known;
      return this.shards.both(known, this.record(adapter, id, joined, isNew));
    };
  }

  private record(
    adapter: Adapter,
    id: string,
    joined: readonly string[],
    isNew: boolean,
  ): Promise<void> {
    const key = sessionKey((adapter.nsp as Namespace).name, id);
    const nameOf = () => this.nameOf(adapter, id);
    if (isNew) this.arriving.add(key);
    else if (this.arriving.has(key)) return this.shards.changeRecord(nameOf, () => []);
    const position = this.shards.entries();
    if (!isNew)
      return this.shards.changeRecord(nameOf, (name) => [
        'j',
        name,
        position,
        joined.length,
        ...joined,
      ]);
    const arrived = () => {
      this.arriving.delete(key);
      return nameOf();
    };
    return this.shards.changeRecord(arrived, () => this.present(adapter, id, position));
  }

  /** A session has left a room, in memory. */
  left(adapter: Adapter, id: string, room: string): Promise<void> {
    const { name: namespace } = adapter.nsp as Namespace;
    const name = this.windowMs() > 0 ? this.nameOf(adapter, id) : undefined;
    const gone = !adapter.rooms.has(room);
    const key = roomKey(namespace, room);
    const position = this.shards.entries();
    const written =
      name !== undefined && this.changeRecord(name, () => ['l', name, position, 1, room]);
    const released = gone ? this.release(key) : this.shards.change(key, () => []);
    return written ? this.shards.both(written, released) : released;
  }

  /** A session is about to end here, in memory. @returns to be called when it has */
  ending(adapter: Adapter, id: string): () => void {
    const { name: namespace } = adapter.nsp as Namespace;
    const name = this.nameOf(adapter, id);
    const rooms = [...(adapter.sids.get(id) ?? [])];
    // Continued here, but cut off again before it was told.
    const early = (adapter.nsp as Namespace).sockets.has(id)
      ? undefined
      : findSocket(adapter.nsp as Namespace, id);
    const pid = early && privateId(early);
    if (early && pid !== undefined) this.lost(namespace, { sid: id, pid, rooms, data: early.data });
    return () => {
      for (const room of rooms)
        if (!adapter.rooms.has(room)) void this.release(roomKey(namespace, room));
      if (adapter.sids.size === 0) void this.release(namespaceKey(namespace));
      if (name !== undefined && !this.absent.has(name) && this.windowMs() > 0)
        void this.changeRecord(name, () => ['d', name]);
    };
  }

  /** A session has lost its transport and may come back: what it needs is received on. */
  lost(namespace: string, { sid, pid, rooms, data }: Lost): void {
    if (this.windowMs() === 0) return;
    const name = sessionKey(namespace, pid);
    const lost = { data: this.dataOf(data), since: this.goneSince() };
    this.hold(namespace, name, sid, rooms, lost);
    void this.changeRecord(name, () => absence(name, lost));
  }

  /** Writes a session's data, which may change at any time, as it is now. */
  save(adapter: Adapter, id: string): Promise<void> {
    const nameOf = () => (this.windowMs() > 0 ? this.nameOf(adapter, id) : undefined);
    return this.shards.changeRecord(nameOf, (name) => {
      const socket = anySocket(adapter.nsp as Namespace, id);
      return socket ? ['w', name, this.dataOf(socket.data)] : [];
    });
  }

  /** What is addressed to these rooms is received from now on, for a session on its way here. */
  hold(
    namespace: string,
    name: string,
    id: string,
    rooms: readonly string[],
    lost?: Absent['lost'],
  ): void {
    const before = this.absent.get(name);
    if (before) this.let(before);
    this.names.set(sessionKey(namespace, id), name);
    const until = Date.now() + this.windowMs();
    this.absent.set(name, { namespace, name, id, rooms, until, lost });
    this.holdKeys(name, keysOf(namespace, rooms));
  }

  /** A message makes sessions join, leave or end: those that are absent too. */
  relocate(namespace: string, relocated: Relocated): void {
    const { action, of, rooms } = relocated;
    const names = of.length === 0 ? [...this.absent.keys()] : this.holdersOf(namespace, of);
    for (const name of names) {
      const absent = this.absent.get(name)!;
      const had = new Set(absent.rooms);
      // Of one on its way here it is seen when it has arrived.
      if (absent.namespace !== namespace || !absent.lost) continue;
      if (!concerns(relocated, (room) => had.has(room))) continue;
      if (action === 'end') {
        this.let(absent);
        void this.changeRecord(name, () => ['d', name]);
        continue;
      }
      const joins = action === 'join';
      const changed = rooms.filter((room) => had.has(room) !== joins);
      const keys = changed.map((room) => roomKey(namespace, room));
      const after = joins
        ? [...absent.rooms, ...changed]
        : absent.rooms.filter((room) => !changed.includes(room));
      this.absent.set(name, { ...absent, rooms: after });
      if (joins) this.holdKeys(name, keys);
      else this.letKeys(name, keys);
      const position = this.shards.entries();
      const operation = [joins ? 'j' : 'l', name, position, changed.length, ...changed];
      if (changed.length > 0) void this.changeRecord(name, () => operation);
    }
  }

  private holdersOf(namespace: string, rooms: readonly string[]): Set<string> {
    const names = new Set<string>();
    for (const room of rooms)
      for (const name of this.held.get(roomKey(namespace, room)) ?? []) names.add(name);
    return names;
  }

  private holdKeys(name: string, keys: readonly string[]): void {
    for (const key of keys) {
      // A session that is moved here may be the first that needs it.
      if (!this.isNeeded(key)) void this.need(key);
      const names = this.held.get(key);
      if (names) names.add(name);
      else this.held.set(key, new Set([name]));
    }
  }

  private letKeys(name: string, keys: readonly string[]): void {
    for (const key of keys) {
      const names = this.held.get(key);
      names?.delete(name);
      if (!names || names.size > 0) continue;
      this.held.delete(key);
      if (!this.isNeeded(key)) void this.release(key);
    }
  }

  /** A session is elsewhere now: nothing is received for it any more. */
  moved(name: string): void {
    const absent = this.absent.get(name);
    if (absent) this.let(absent);
  }

  /** A session that was held is not continued. */
  discard(name: string): void {
    this.moved(name);
    void this.changeRecord(name, () => ['d', name]);
  }

  /** A message has made sessions here join rooms with these keys, or would have, if there were any. */
  relocated(keys: readonly string[]): void {
    for (const key of keys)
      void this.shards.change(key, () => (this.isNeeded(key) ? ['u', key] : ['u', key, 'o', key]));
  }

  /** Lets go of sessions that did not come back in time. */
  expire(): void {
    const now = Date.now();
    for (const absent of this.absent.values()) {
      if (absent.until > now) return;
      this.let(absent);
      void this.changeRecord(absent.name, () => ['d', absent.name]);
    }
  }

  /** Nothing of the past is kept. */
  forgetAbsent(): void {
    this.absent.clear();
    this.names.clear();
    this.held.clear();
  }

  /**
   * Makes Redis say what is so, in one shard.
   * @param keys what it says this node needs
   * @param names whom it says this node has
   */
  *compare(shard: Shard, keys: ReadonlySet<string>, names: ReadonlySet<string>): Generator<Arg[]> {
    // Each operation is decided when it is sent: meanwhile sessions come and go.
    for (const key of new Set([...keys, ...this.neededKeys()])) {
      if (this.shards.of(key) !== shard) continue;
      const needed = this.isNeeded(key);
      if (needed !== keys.has(key)) yield [needed ? 'i' : 'o', key];
    }
    if (this.windowMs() === 0) return;
    const present = new Set<string>();
    for (const adapter of this.adapters.values())
      for (const id of adapter.sids.keys()) {
        const name = this.nameOf(adapter, id);
        if (name === undefined || this.shards.of(name) !== shard) continue;
        present.add(name);
        yield this.present(adapter, id, this.shards.entries());
      }
    for (const { name, id, rooms, lost } of this.absent.values()) {
      if (!lost || present.has(name) || this.shards.of(name) !== shard) continue;
      yield ['r', name, id, lost.data, this.shards.entries(), rooms.length, ...rooms];
      yield absence(name, lost);
    }
    for (const name of names) if (!present.has(name) && !this.absent.has(name)) yield ['d', name];
  }

  private neededKeys(): string[] {
    const needed = [...this.held.keys()];
    for (const [namespace, adapter] of this.adapters) {
      needed.push(serverKey(namespace), namespaceKey(namespace));
      for (const room of adapter.rooms.keys()) needed.push(roomKey(namespace, room));
    }
    return needed;
  }

  private present(adapter: Adapter, id: string, position: string): Arg[] {
    const socket = anySocket(adapter.nsp as Namespace, id);
    const name = this.nameOf(adapter, id);
    if (!socket || name === undefined) return [];
    const rooms = [...(adapter.sids.get(id) ?? [])];
    return ['r', name, id, this.dataOf(socket.data), position, rooms.length, ...rooms];
  }

  private nameOf(adapter: Adapter, id: string): string | undefined {
    const namespace = adapter.nsp as Namespace;
    const socket = anySocket(namespace, id);
    // One that comes back joins its rooms before it can be found.
    if (!socket) return this.names.get(sessionKey(namespace.name, id));
    const pid = privateId(socket);
    return pid === undefined ? undefined : sessionKey(namespace.name, pid);
  }

  private dataOf(data: unknown): string {
    try {
      return (JSON.stringify(data ?? {}) ?? '{}').toWellFormed();
    } catch (error) {
      this.failed(error);
      return '{}';
    }
  }

  /** It is here: its own socket holds what it needs. */
  private arrived(namespace: string, id: string): void {
    const adapter = this.adapters.get(namespace);
    const name = adapter && this.nameOf(adapter, id);
    const absent = name === undefined ? undefined : this.absent.get(name);
    if (absent) this.let(absent);
  }

  private let({ namespace, name, id, rooms }: Absent): void {
    this.absent.delete(name);
    this.names.delete(sessionKey(namespace, id));
    this.letKeys(name, keysOf(namespace, rooms));
  }

  private changeRecord(name: string, change: () => readonly Arg[]): Promise<void> {
    return this.shards.changeRecord(() => name, change);
  }

  private need(key: string): Promise<void> {
    return this.shards.change(key, () => ['i', key]);
  }

  private release(key: string): Promise<void> {
    return this.shards.change(key, () => (this.isNeeded(key) ? [] : ['o', key]));
  }

  private isNeeded(key: string): boolean {
    if (this.held.has(key)) return true;
    const comma = key.startsWith('r:') ? key.indexOf(',') : key.length;
    const adapter = this.adapters.get(key.slice(2, comma));
    if (!adapter) return false;
    if (key.startsWith('r:')) return adapter.rooms.has(key.slice(comma + 1));
    return key.startsWith('a:') || adapter.sids.size > 0;
  }
}
