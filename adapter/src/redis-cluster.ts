import { type Socket, connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, type Cluster, Redis, type RedisOptions } from 'ioredis';
import { type RedisConnect, type RedisPurpose, backoff } from './link.js';
import type { Servers } from './servers.js';

/** Longest time for an answer on who serves what, in ms. */
const TIMEOUT_MS = 1000;

/**
 * All that is different about a Redis Cluster: a shard's keys lie in one slot, and its connections go
 * to whichever master serves that, which is looked up whenever one is made. They are plain connections:
 * a client of the whole cluster would repeat a call whose answer was lost.
 */
export function clusterServers(cluster: Cluster, bases: readonly string[]): Servers {
  const redisOptions = withoutMapping(cluster, { commandTimeout: TIMEOUT_MS });
  const topology = cluster.duplicate([], { lazyConnect: false, redisOptions });
  // What it means to the shards, their own connections find out.
  topology.on('error', () => undefined);
  return {
    all: bases.map((base) => ({ connect: connectTo(topology, cluster, base), strange: [] })),
    close: () => topology.disconnect(),
  };
}

function connectTo(topology: Cluster, cluster: Cluster, base: string): RedisConnect {
  const { options } = cluster;
  const { tls } = options.redisOptions ?? {};

  class SlotConnector extends AbstractConnector {
    constructor(given: unknown) {
      super((given as { disconnectTimeout: number }).disconnectTimeout);
    }

    async connect(): Promise<Socket> {
      this.connecting = true;
      const { host, port } = await masterOf(topology, options.natMap, base);
      if (!this.connecting) throw new Error('Connection is closed.');
      const stream = tls ? connectTls({ ...tls, host, port }) : connect({ host, port });
      stream.once('error', (error) => {
        this.firstError = error;
      });
      this.stream = stream;
      return stream;
    }
  }

  return (purpose: RedisPurpose) =>
    new Redis(
      withoutMapping(cluster, {
        Connector: SlotConnector,
        connectionName: `socket.io-${purpose}`,
        lazyConnect: false,
        retryStrategy: backoff,
      }),
    );
}

/** The options of the cluster's connections, but for one that the types of answers depend on. */
function withoutMapping(cluster: Cluster, more: RedisOptions): Omit<RedisOptions, 'replyMapping'> {
  const { replyMapping: _, ...options } = cluster.options.redisOptions ?? {};
  return { ...options, ...more };
}

async function masterOf(
  topology: Cluster,
  natMap: Cluster['options']['natMap'],
  base: string,
): Promise<{ host: string; port: number }> {
  const [slot, ranges] = await Promise.all([
    topology.cluster('KEYSLOT', base),
    topology.cluster('SLOTS'),
  ]);
  const range = ranges.find(([first, last]) => first <= slot && slot <= last);
  if (!range) throw new Error('CLUSTERDOWN nobody serves the slot');
  const [host, port] = range[2]!;
  const address = `${host}:${port}`;
  const mapped = typeof natMap === 'function' ? natMap(address) : natMap?.[address];
  return mapped ?? { host, port };
}
