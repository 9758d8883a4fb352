import { type RedisAdapter, createAdapter } from '@socket.io/redis-adapter';
import type { Redis } from 'ioredis';
import { toGatewayError } from '@streamgate/protocol/errors';
import { userRoom } from '@streamgate/protocol/rooms';
import { log } from '../ops/log.js';
import type { Backplane, Notice, Publication, Relocation } from './backplane.js';
import { exactParser } from './exact-parser.js';
import { LocalAdapters, optionsOf, packetOf, packetOfNotice } from './local-adapters.js';
import { oncePerTurn } from './once-per-turn.js';
import { RedisBackplane, type RedisConfig } from './redis-backplane.js';
import { redisKeys } from './redis-keys.js';
import type { RedisConnect } from './redis-options.js';
import { roomKey } from './room-key.js';
import { forStockAdapter } from './stock-client.js';

/** Types of the stock adapter's requests to other nodes. */
const REMOTE_JOIN = 2;
const REMOTE_LEAVE = 3;

/** What of the stock adapter its types keep private. */
type Internals = Pick<RedisAdapter, 'uid'> & {
  channel: string;
  requestChannel: string;
};

/**
 * Over `@socket.io/redis-adapter`: nothing is kept, so nothing is recovered, and what is published
 * while a node is not subscribed is lost to it (docs/decisions/0010-stock-adapters.md).
 */
class PubsubBackplane extends RedisBackplane<RedisAdapter> {
  readonly kind = 'pubsub';
  readonly recovers = false;
  readonly serverOptions: Backplane['serverOptions'];
  protected readonly adapters: LocalAdapters<RedisAdapter>;
  private readonly subscriber: Redis;

  constructor(config: RedisConfig, connect: RedisConnect) {
    super(config, connect);
    this.subscriber = connect('subscriber');
    this.link.accompany(this.subscriber);
    // Answered behind the subscriptions, which are made anew on each connection.
    this.link.prepare(async () => void (await this.subscriber.ping()));
    const makeStock = createAdapter(
      forStockAdapter(this.link.redis),
      forStockAdapter(this.subscriber),
      {
        key: redisKeys(config.redisPrefix).pubsubChannels(this.link.redis.options.db ?? 0),
        parser: exactParser,
        publishOnSpecificResponseChannel: true,
      },
    );
    this.adapters = new LocalAdapters(this.listeners, makeStock);
    this.serverOptions = { adapter: this.adapters.factory() };
  }

  override async close(): Promise<void> {
    await super.close();
    this.subscriber.disconnect();
  }

  async relocate(relocation: Relocation): Promise<void> {
    const { namespace, action, users, room } = relocation;
    const { uid, requestChannel } = this.internals(namespace);
    const request = JSON.stringify({
      uid,
      type: action === 'join' ? REMOTE_JOIN : REMOTE_LEAVE,
      opts: { rooms: users.map((user) => roomKey(userRoom(user))), except: [] },
      rooms: [roomKey(room)],
    });
    await this.link.call((redis) => redis.publish(requestChannel, request));
    this.adapters.relocate(relocation);
  }

  async notify(notice: Notice): Promise<void> {
    const { uid, channel } = this.internals(notice.namespace);
    const { packet, opts } = packetOfNotice(notice);
    const message = exactParser.encode([uid, packet, opts]);
    await this.link.call((redis) => redis.publish(channel, message));
    this.adapters.hear(notice.namespace, notice);
  }

  /** What this node published is delivered when its answer comes, the rest as it comes. */
  readonly caughtUp = oncePerTurn(async () => {
    try {
      await this.link.call((redis) => redis.ping());
      await this.link.call(() => this.subscriber.ping());
    } catch (error) {
      log.debug({ code: toGatewayError(error).code }, 'nobody knows what has not come yet');
    }
  });

  offset(): undefined {}

  async claim(): Promise<undefined> {}

  async missed(): Promise<undefined> {}

  /** The adapter ignores its own messages, so local sessions are served from here, once it is sent. */
  protected async send(publication: Publication): Promise<undefined> {
    const { uid, channel } = this.internals(publication.namespace);
    const packet = packetOf(publication);
    const { rooms, except, flags } = optionsOf(publication);
    const [only] = rooms;
    const target = rooms.size === 1 ? `${channel}${only}#` : channel;
    const message = exactParser.encode([
      uid,
      packet,
      { rooms: [...rooms], except: [...except], flags },
    ]);
    await this.link.call((redis) => redis.publish(target, message));
    this.adapters.deliver(publication, packet);
  }

  private internals(namespace: string): Internals {
    return this.adapters.of(namespace) as unknown as Internals;
  }
}

/** @param connect makes the connections; `close` ends them */
export function createPubsubBackplane(config: RedisConfig, connect: RedisConnect): Backplane {
  return new PubsubBackplane(config, connect);
}
