import type { Adapter } from 'socket.io-adapter';
import { GatewayError } from '@streamgate/protocol/errors';
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
import { Listeners, type NoticeListener, type TaggedListener } from './listeners.js';
import { type LocalAdapters, packetOf } from './local-adapters.js';
import { LinkFault, RedisLink } from './redis-link.js';
import type { RedisConnect } from './redis-options.js';
import { RedisRegistry } from './redis-registry.js';
import type { Session } from './session.js';

/** Of the configuration, what a backplane over Redis goes by. */
export type RedisConfig = Pick<
  Config,
  'redisPrefix' | 'redisTimeoutMs' | 'recoverySeconds' | 'offlineSeconds'
>;

/** What both stock adapters need around them: the connection for commands and the registry. */
export abstract class RedisBackplane<A extends Adapter> implements Backplane {
  abstract readonly kind: Backplane['kind'];
  abstract readonly recovers: boolean;
  abstract readonly serverOptions: Backplane['serverOptions'];
  readonly nodeId: string;
  readonly registry: RedisRegistry;
  protected readonly link: RedisLink;
  protected readonly listeners = new Listeners();
  protected abstract readonly adapters: LocalAdapters<A>;

  protected constructor(config: RedisConfig, connect: RedisConnect) {
    this.link = new RedisLink(connect, config.redisTimeoutMs);
    this.registry = new RedisRegistry(config, this.link);
    this.nodeId = this.registry.nodeId;
  }

  async start(): Promise<void> {
    metrics.backplaneUp.read(() => Number(this.link.up));
    metrics.backplaneWarnings.read(() => this.link.health().warnings.length);
    await this.link.start();
    await this.registry.start();
  }

  async close(): Promise<void> {
    await this.registry.close();
    this.link.close();
  }

  health(): BackplaneHealth {
    return this.link.health();
  }

  onHealthChange(listener: (health: BackplaneHealth) => void): void {
    this.link.onChange(listener);
  }

  async publish(publication: Publication): Promise<string | undefined> {
    const began = performance.now();
    try {
      const id = await this.send(publication);
      metrics.publishSeconds.observe((performance.now() - began) / 1000);
      metrics.publishes.add('done');
      return id;
    } catch (error) {
      const fault = error instanceof GatewayError ? error.cause : error;
      metrics.publishes.add(fault instanceof LinkFault ? fault.outcome : 'failed');
      throw error;
    }
  }

  deliverLocally(publication: Publication): void {
    const position = this.offset(publication.namespace);
    this.adapters.deliver(publication, packetOf(publication, undefined, position));
  }

  hasLocal(namespace: string, room: string): boolean {
    return this.adapters.has(namespace, room);
  }

  async members(namespace: string, room: string): Promise<Map<string, number>> {
    if (!this.link.up) throw new GatewayError('backplane_unavailable');
    try {
      return await this.adapters.members(namespace, room);
    } catch (thrown) {
      if (thrown instanceof GatewayError) throw thrown;
      // The adapters say only in words that a node has not answered.
      throw new GatewayError('backplane_unavailable', undefined, { cause: thrown });
    }
  }

  abstract relocate(relocation: Relocation): Promise<void>;

  abstract notify(notice: Notice): Promise<void>;

  onNotice(listener: NoticeListener): void {
    this.listeners.onNotice(listener);
  }

  onTagged(listener: TaggedListener): void {
    this.listeners.onTagged(listener);
  }

  get deliveringTag(): string | undefined {
    return this.listeners.deliveringTag;
  }

  abstract caughtUp(): Promise<void>;

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

  /** A lost session is written with what it had at the end. */
  async save(_session: Session): Promise<void> {}

  abstract offset(namespace: string): string | undefined;

  abstract claim(namespace: string, pid: string): Promise<LostSession | undefined>;

  abstract missed(
    namespace: string,
    lost: LostSession,
    offset: string,
    rooms: readonly string[],
  ): Promise<unknown[][] | undefined>;

  /** To all nodes, this one included. @throws GatewayError `backplane_unavailable` */
  protected abstract send(publication: Publication): Promise<string | undefined>;
}
