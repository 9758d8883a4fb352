import { createAdapter } from '@socket.io/redis-streams-adapter';
import type { Redis } from 'ioredis';
import { type ClusterMessage, MessageType } from 'socket.io-adapter';
import { toGatewayError } from '@streamgate/protocol/errors';
import { userRoom } from '@streamgate/protocol/rooms';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import type { Backplane, LostSession, Notice, Publication, Relocation } from './backplane.js';
import { LocalAdapters, optionsOf, packetOf, packetOfNotice } from './local-adapters.js';
import { type Decode, LostSessions } from './lost-sessions.js';
import { oncePerTurn } from './once-per-turn.js';
import { RedisBackplane, type RedisConfig } from './redis-backplane.js';
import { redisKeys } from './redis-keys.js';
import type { RedisConnect } from './redis-options.js';
import { roomKey } from './room-key.js';
import { forStockAdapter } from './stock-client.js';
import { StreamReader } from './stream-reader.js';

/** Entries that the stream keeps, roughly: what a lost session can look back on. */
const MAX_ENTRIES = 20_000;
/** Given up publishes that are remembered, in case Redis took them after all. */
const MAX_GIVEN_UP = 10_000;

type StreamsAdapter = ReturnType<ReturnType<typeof createAdapter>>;

/**
 * Over `@socket.io/redis-streams-adapter`. An event is delivered on every node when it is read from
 * the stream, on the node that wrote it too: one order for everyone, and a session that comes back
 * is given exactly what was read before and delivered what is read after.
 * (docs/decisions/0010-stock-adapters.md)
 */
class StreamsBackplane extends RedisBackplane<StreamsAdapter> {
  readonly kind = 'streams';
  readonly recovers: boolean;
  readonly serverOptions: Backplane['serverOptions'];
  protected readonly adapters: LocalAdapters<StreamsAdapter>;
  private readonly keys: ReturnType<typeof redisKeys>;
  private readonly reader: StreamReader;
  private readonly subscriber: Redis;
  private readonly lost: LostSessions;
  /** Publishes that have not been answered, with their ids once they are read back. */
  private readonly flights = new Map<string, { id?: string }>();
  private readonly givenUp = new Set<string>();
  private sent = 0;

  constructor(config: RedisConfig, connect: RedisConnect) {
    super(config, connect);
    const keepMs = config.recoverySeconds * 1000;
    this.recovers = keepMs > 0;
    this.keys = redisKeys(config.redisPrefix);
    this.reader = new StreamReader(connect('reader'));
    this.subscriber = connect('subscriber');
    this.lost = new LostSessions(this.link, this.reader, this.keys, keepMs);
    this.link.accompany(this.reader.redis);
    this.link.accompany(this.subscriber);
    this.link.prepare((redis) => this.anchor(redis));
    // Stock duplicates the client that it is given: once to read, once to subscribe.
    const duplicates = [
      this.reader,
      forStockAdapter(this.subscriber, { disconnect: () => undefined }),
    ];
    const makeStock = createAdapter(
      forStockAdapter(this.link.redis, { duplicate: () => duplicates.shift() }),
      {
        streamName: this.keys.stream,
        channelPrefix: this.keys.streamChannels,
        maxLen: MAX_ENTRIES,
      },
    );
    this.adapters = new LocalAdapters(this.listeners, (namespace) =>
      this.wrap(makeStock(namespace), namespace.name),
    );
    this.link.onChange(({ up }) => {
      if (!up) this.reader.letGo();
    });
    this.serverOptions = {
      adapter: this.adapters.factory(),
      ...(this.recovers && {
        connectionStateRecovery: { maxDisconnectionDuration: keepMs, skipMiddlewares: false },
      }),
    };
  }

  override async close(): Promise<void> {
    await super.close();
    this.reader.close();
    this.subscriber.disconnect();
  }

  async relocate({ namespace, action, users, room }: Relocation): Promise<void> {
    const type = action === 'join' ? MessageType.SOCKETS_JOIN : MessageType.SOCKETS_LEAVE;
    const opts = { rooms: users.map((user) => roomKey(userRoom(user))), except: [], flags: {} };
    const message = { type, data: { opts, rooms: [roomKey(room)] } } as const;
    await this.write(namespace, message, this.nextToken());
  }

  async notify(notice: Notice): Promise<void> {
    const message = { type: MessageType.BROADCAST, data: packetOfNotice(notice) } as const;
    await this.write(notice.namespace, message, this.nextToken());
  }

  readonly caughtUp = oncePerTurn(async () => {
    try {
      const [newest] = await this.link.call((redis) =>
        redis.xrevrange(this.keys.stream, '+', '-', 'COUNT', 1),
      );
      if (newest) await this.reader.until(newest[0]);
    } catch (error) {
      log.debug({ code: toGatewayError(error).code }, 'nobody knows what has not come yet');
    }
  });

  offset(): string | undefined {
    return this.recovers ? this.reader.position : undefined;
  }

  claim(namespace: string, pid: string): Promise<LostSession | undefined> {
    return this.lost.claim(namespace, pid);
  }

  missed(
    namespace: string,
    lost: LostSession,
    offset: string,
    rooms: readonly string[],
  ): Promise<unknown[][] | undefined> {
    const { decode } = this.adapters.of(namespace).constructor as unknown as { decode: Decode };
    return this.lost.missed(namespace, lost, offset, rooms, decode);
  }

  protected async send(publication: Publication): Promise<string | undefined> {
    const { rooms, except, flags } = optionsOf(publication);
    // Receiving nodes put the offset behind an event, unless it is volatile.
    const packet = packetOf(
      publication,
      undefined,
      publication.volatile ? this.offset() : undefined,
    );
    const opts = { rooms: [...rooms], except: [...except], flags };
    const token = this.nextToken();
    const flight: { id?: string } = {};
    this.flights.set(token, flight);
    try {
      const message = { type: MessageType.BROADCAST, data: { packet, opts } } as const;
      return await this.write(publication.namespace, message, token);
    } catch (error) {
      // Read back before it was given up on: it was accepted, and only the answer is missing.
      if (flight.id !== undefined) return flight.id;
      this.giveUp(token);
      throw error;
    } finally {
      this.flights.delete(token);
    }
  }

  /** Stock ignores entries with the adapter's own uid; this one is to be read back. */
  private nextToken(): string {
    return `${this.nodeId}.${++this.sent}`;
  }

  private write(
    namespace: string,
    message: Pick<ClusterMessage, 'type'> & { data: unknown },
    token: string,
  ): Promise<string> {
    const adapter = this.adapters.of(namespace);
    const entry = { ...message, uid: token, nsp: namespace } as ClusterMessage;
    return this.link.call(() => adapter.doPublish(entry) as Promise<string>);
  }

  /** Its sessions are served locally now; what may be read back later is not delivered again. */
  private giveUp(token: string): void {
    this.givenUp.add(token);
    if (this.givenUp.size <= MAX_GIVEN_UP) return;
    for (const oldest of this.givenUp) {
      this.givenUp.delete(oldest);
      return;
    }
  }

  private wrap(stock: StreamsAdapter, namespace: string): StreamsAdapter {
    const deliver = stock.onRawMessage.bind(stock);
    stock.onRawMessage = (entry, id) => {
      if (this.givenUp.delete(entry.uid)) return;
      const flight = this.flights.get(entry.uid);
      if (flight) flight.id = id;
      try {
        deliver(entry, id);
      } catch (error) {
        // Thrown into stock's loop, it would have this entry read again and again without end.
        metrics.adapterFaults.add();
        log.error({ entry: id, reason: (error as Error).name }, 'an entry could not be delivered');
      }
    };
    stock.persistSession = (session) => this.lost.persist(namespace, session);
    // The edge asks `claim` and `missed` instead, once it knows who is asking.
    stock.restoreSession = () => Promise.resolve(null as never);
    return stock;
  }

  /** Without `nsp` an entry is nothing to the adapters: it only marks a position. */
  private async anchor(redis: Redis): Promise<void> {
    const id = await redis.xadd(this.keys.stream, 'MAXLEN', '~', MAX_ENTRIES, '*', 'anchor', '');
    if (id !== null) this.reader.anchor(id);
  }
}

/** @param connect makes the connections; `close` ends them */
export function createStreamsBackplane(config: RedisConfig, connect: RedisConnect): Backplane {
  return new StreamsBackplane(config, connect);
}
