import { randomBytes, randomUUID } from 'node:crypto';
import type { Namespace } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import type { Config } from '../config.js';
import { metrics } from '../ops/metrics.js';
import type {
  Backplane,
  BackplaneHealth,
  LostSession,
  Notice,
  Publication,
  Relocation,
} from './backplane.js';
import { History } from './history.js';
import { Listeners, type NoticeListener, type TaggedListener } from './listeners.js';
import {
  LocalAdapters,
  type Persisted,
  lostSession,
  optionsOf,
  packetOf,
} from './local-adapters.js';
import { MemoryRegistry } from './memory-registry.js';
import { roomKey } from './room-key.js';
import type { Session } from './session.js';

/** Adds what a lost session needs to come back: what was said meanwhile, and where it was. */
class MemoryAdapter extends Adapter {
  readonly history: History;
  private readonly lost = new Map<string, { session: Persisted; until: number }>();

  constructor(
    namespace: Namespace,
    private readonly keepMs: number,
    private readonly maxLost: number,
  ) {
    super(namespace);
    this.history = new History(randomBytes(6).toString('base64url'), keepMs);
  }

  override persistSession(session: Persisted): void {
    this.lost.set(session.pid, { session, until: Date.now() + this.keepMs });
    // The oldest stands first.
    for (const [pid, { until }] of this.lost) {
      if (until > Date.now() && this.lost.size <= this.maxLost) break;
      this.lost.delete(pid);
    }
  }

  claim(pid: string): LostSession | undefined {
    const entry = this.lost.get(pid);
    this.lost.delete(pid);
    if (!entry || entry.until <= Date.now()) return undefined;
    return lostSession(entry.session);
  }
}

/** The backplane of a single node: no Redis, nobody else to reach, always up. */
class MemoryBackplane implements Backplane {
  readonly kind = 'memory';
  readonly nodeId = randomUUID();
  readonly recovers: boolean;
  readonly serverOptions: Backplane['serverOptions'];
  readonly registry = new MemoryRegistry();
  private readonly adapters: LocalAdapters<MemoryAdapter>;
  private readonly listeners = new Listeners();
  private readonly startedAt = Date.now();

  constructor({ recoverySeconds, maxSessions }: Pick<Config, 'recoverySeconds' | 'maxSessions'>) {
    const keepMs = recoverySeconds * 1000;
    this.recovers = keepMs > 0;
    this.adapters = new LocalAdapters(
      this.listeners,
      (namespace) => new MemoryAdapter(namespace, keepMs, maxSessions),
    );
    this.serverOptions = {
      adapter: this.adapters.factory(),
      ...(this.recovers && {
        connectionStateRecovery: { maxDisconnectionDuration: keepMs, skipMiddlewares: false },
      }),
    };
  }

  async start(): Promise<void> {
    metrics.backplaneUp.read(() => 1);
  }

  async close(): Promise<void> {
    this.registry.close();
  }

  health(): BackplaneHealth {
    return { up: true, since: this.startedAt, reason: undefined, warnings: [] };
  }

  /** Never called: a single node is always up. */
  onHealthChange(): void {}

  async publish(publication: Publication): Promise<string | undefined> {
    const { history } = this.adapters.of(publication.namespace);
    metrics.publishes.add('done');
    if (publication.volatile || !this.recovers) {
      this.deliverLocally(publication);
      return undefined;
    }
    const packet = packetOf(publication);
    const offset = history.append(packet.data, optionsOf(publication));
    this.adapters.deliver(publication, packet);
    return offset;
  }

  deliverLocally(publication: Publication): void {
    const position = this.offset(publication.namespace);
    this.adapters.deliver(publication, packetOf(publication, undefined, position));
  }

  hasLocal(namespace: string, room: string): boolean {
    return this.adapters.has(namespace, room);
  }

  members(namespace: string, room: string): Promise<Map<string, number>> {
    return this.adapters.members(namespace, room);
  }

  async relocate(relocation: Relocation): Promise<void> {
    this.adapters.relocate(relocation);
  }

  async notify({ namespace, to, body }: Notice): Promise<void> {
    this.adapters.hear(namespace, { to, body });
  }

  onNotice(listener: NoticeListener): void {
    this.listeners.onNotice(listener);
  }

  onTagged(listener: TaggedListener): void {
    this.listeners.onTagged(listener);
  }

  get deliveringTag(): string | undefined {
    return this.listeners.deliveringTag;
  }

  /** What is published is delivered at once. */
  async caughtUp(): Promise<void> {}

  /** Whoever is in a room of this node hears what is published from then on. */
  settled(): Promise<void> | undefined {
    return undefined;
  }

  join(session: Session, rooms: readonly string[]): Promise<void> {
    return this.adapters.join(session, rooms);
  }

  leave(session: Session, rooms: readonly string[]): Promise<void> {
    return this.adapters.leave(session, rooms);
  }

  /** A lost session is kept with what it had at the end. */
  async save(): Promise<void> {}

  offset(namespace: string): string | undefined {
    return this.recovers ? this.adapters.of(namespace).history.offset() : undefined;
  }

  async claim(namespace: string, pid: string): Promise<LostSession | undefined> {
    return this.adapters.of(namespace).claim(pid);
  }

  async missed(
    namespace: string,
    lost: LostSession,
    offset: string,
    rooms: readonly string[],
  ): Promise<unknown[][] | undefined> {
    const keys = [lost.id, ...rooms.map(roomKey)];
    return this.adapters.of(namespace).history.since(offset, keys);
  }
}

/** @param config `STREAMGATE_RECOVERY_SECONDS` 0 turns recovery off */
export function createMemoryBackplane(
  config: Pick<Config, 'recoverySeconds' | 'maxSessions'>,
): Backplane {
  return new MemoryBackplane(config);
}
