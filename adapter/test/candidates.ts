import { randomUUID } from 'node:crypto';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { createAdapter as createPubsubAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';
import type { Server, ServerOptions } from 'socket.io';
import { type Mailbox, type RedisAway, createAdapter } from '@streamgate/adapter';

/** Packet type of the Socket.IO protocol. */
const EVENT = 2;

/** What is proven here, side by side: Socket.IO's own memory, its two Redis adapters, and ours. */
export type Kind = 'memory' | 'streams' | 'pubsub' | 'mailbox';

/** Kinds that give a lost session what it missed. */
export const recovers = (kind: Kind) => kind !== 'pubsub';

export interface CandidateOptions {
  url?: string | undefined;
  /** More than one Redis, for the shards (ours only). */
  urls?: string[];
  /** How many shards (ours only); default: one on each Redis. */
  shards?: number;
  /** The Redis of `url` is one of a Redis Cluster (ours only). */
  cluster?: boolean;
  /** Separates clusters on one Redis. */
  prefix?: string;
  recoverySeconds?: number;
  /** How long a publish may take before it counts as refused (ours only). */
  timeoutMs?: number;
  /** How long a silent node still counts as alive (ours only). */
  leaseMs?: number;
  /** Options of the stock streams adapter. */
  stock?: { maxLen?: number; blockTimeInMs?: number };
}

/** The adapter of one node with all connections it has to Redis. */
export interface Candidate {
  readonly kind: Kind;
  readonly serverOptions: Pick<Partial<ServerOptions>, 'adapter' | 'connectionStateRecovery'>;
  /** Every connection that the adapter has been given or has duplicated. */
  readonly connections: readonly Redis[];
  /** Resolves when events of other nodes will arrive. */
  ready(io: Server): Promise<void>;
  /** Whether `publish` says if Redis took the event (ours does, and rejects when not). */
  readonly tells: boolean;
  /** Ours only: what it offers beside what Socket.IO asks of it. */
  readonly mailbox?: Mailbox;
  /**
   * Emits an event to rooms of `/`; `locally` to this node's own sessions only, in place of what
   * `publish` rejected with.
   */
  publish(io: Server, rooms: string[], args: unknown[]): Promise<void>;
  locally(io: Server, rooms: string[], args: unknown[], refusal?: unknown): void;
  /** The same; resolves when Redis has answered, also where nobody is told what. */
  accept(io: Server, rooms: string[], args: unknown[]): Promise<void>;
  /** As `kill -9` would: nothing that it tries from now on reaches Redis. */
  sever(): void;
  close(): Promise<void>;
}

export async function createCandidate(kind: Kind, options: CandidateOptions): Promise<Candidate> {
  const connections = new Connections(options, kind !== 'mailbox');
  const { prefix = 'proof', recoverySeconds = 60 } = options;
  const connectionStateRecovery = {
    maxDisconnectionDuration: recoverySeconds * 1000,
    skipMiddlewares: true,
  };
  const common = {
    kind,
    tells: false,
    connections: connections.all,
    ready: () => Promise.resolve(),
    publish(io: Server, rooms: string[], [event, ...args]: unknown[]) {
      io.to(rooms).emit(event as string, ...args);
      return Promise.resolve();
    },
    async accept(io: Server, rooms: string[], args: unknown[]) {
      const to = { rooms: new Set(rooms), except: new Set<string>(), flags: {} };
      // What `emit` does, which drops the promise.
      await (io.of('/').adapter.broadcast({ type: EVENT, data: args }, to) as unknown);
    },
    locally(io: Server, rooms: string[], [event, ...args]: unknown[]) {
      io.local.to(rooms).emit(event as string, ...args);
    },
    sever: () => connections.sever(),
    close() {
      connections.sever();
      return Promise.resolve();
    },
  };
  switch (kind) {
    case 'memory':
      return { ...common, serverOptions: { connectionStateRecovery } };
    case 'pubsub': {
      const [pub, sub] = [connections.open(), connections.open()];
      return {
        ...common,
        serverOptions: { adapter: createPubsubAdapter(pub, sub, { key: prefix }) },
        async ready(io) {
          for (const namespace of io._nsps.keys())
            await until(async () => {
              const channel = `${prefix}-response#${namespace}#`;
              const uid = (io.of(namespace).adapter as unknown as { uid: string }).uid;
              return Number((await pub.pubsub('NUMSUB', `${channel}${uid}#`))[1]) === 1;
            });
        },
      };
    }
    case 'streams': {
      const redis = connections.open();
      const adapter = createStreamsAdapter(redis, {
        streamName: prefix,
        channelPrefix: prefix,
        sessionKeyPrefix: `${prefix}:session:`,
        ...options.stock,
      });
      return {
        ...common,
        serverOptions: { adapter, connectionStateRecovery },
        // It begins at `$`: what is written before it reads is nothing to it.
        ready: () => until(() => connections.isReading()),
      };
    }
    case 'mailbox': {
      const { urls = [options.url!] } = options;
      const redis = options.cluster
        ? connections.openCluster()
        : urls.map((url) => connections.open({}, url));
      const mailbox = createAdapter(redis, {
        prefix,
        recoverySeconds,
        ...(options.shards !== undefined && { shards: options.shards }),
        ...(options.timeoutMs !== undefined && { timeoutMs: options.timeoutMs }),
        ...(options.leaseMs !== undefined && { leaseMs: options.leaseMs }),
      });
      const publish = async (_: Server, rooms: string[], args: unknown[]) => {
        await mailbox.publish('/', args, { rooms });
      };
      return {
        ...common,
        tells: true,
        mailbox,
        serverOptions: { adapter: mailbox, connectionStateRecovery },
        ready: () => until(() => mailbox.health.up),
        publish,
        accept: publish,
        locally: (_, rooms, args, refusal) =>
          mailbox.deliverLocally('/', args, { rooms }, refusal as RedisAway | undefined),
        async close() {
          await mailbox.close();
          connections.sever();
        },
      };
    }
  }
}

/** `duplicate` may be given nothing that its answers would be of another type by. */
type Settings = Omit<RedisOptions, 'replyMapping'>;

/** Connections of one node: counted, and cut all at once when the node is to die. */
class Connections {
  readonly all: Redis[] = [];
  private readonly name = randomUUID();
  private readonly options: CandidateOptions;
  /** The stock adapters drop promises, whose rejection would end the process. */
  private readonly careless: boolean;
  private dead = false;

  constructor(options: CandidateOptions, careless: boolean) {
    this.options = options;
    this.careless = careless;
  }

  /** Its own connections are not counted, and not cut. */
  openCluster(): Cluster {
    const { hostname: host, port } = new URL(this.options.url!);
    const cluster = new Cluster([{ host, port: Number(port) }], { lazyConnect: true });
    cluster.on('error', () => undefined);
    return cluster;
  }

  open(options: Partial<RedisOptions> = {}, url = this.options.url!): Redis {
    const { hostname, port } = new URL(url);
    const redis = new Redis({
      ...(options as Settings),
      host: hostname,
      port: Number(port),
      connectionName: this.name,
      lazyConnect: this.dead,
    });
    redis.on('error', () => undefined);
    redis.duplicate = (override) => this.open(override, url);
    if (this.careless) {
      const send = redis.sendCommand.bind(redis);
      redis.sendCommand = (...args) => {
        const answer = send(...args);
        if (answer instanceof Promise) answer.catch(() => undefined);
        return answer;
      };
    }
    if (this.dead) redis.disconnect();
    this.all.push(redis);
    return redis;
  }

  /** Whether one of them is held open by a blocking read. */
  async isReading(): Promise<boolean> {
    const clients = (await this.all[0]!.call('CLIENT', 'LIST')) as string;
    return clients
      .split('\n')
      .some((client) => client.includes(` name=${this.name} `) && / flags=[^ ]*b/.test(client));
  }

  sever(): void {
    this.dead = true;
    for (const redis of this.all) redis.disconnect();
  }
}

/** Asks again until the answer is yes. */
export async function until(
  question: () => Promise<boolean> | boolean,
  ms = 10_000,
): Promise<void> {
  const end = performance.now() + ms;
  while (!(await question())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${String(question)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
