import { Redis } from 'ioredis';
import { streamNames } from '@streamgate/protocol/stream';
import { type Cluster, isRunning, type RunningNode } from '../cluster-parts.ts';
import type { Diagnosis } from './diagnosis.ts';
import type { Series } from './prometheus.ts';
import type { Stage } from './stage.ts';

/** Something that goes wrong on purpose, and what must be seen of it. */
export interface Fault {
  readonly name: string;
  /** Brings it about. @returns what takes it back */
  inject(stage: Stage): Promise<() => unknown>;
  /** Alerts that must fire. */
  readonly fires: readonly string[];
  /** Alerts that may: they follow from it, not always. */
  readonly mayFire: readonly string[];
  /** Panels that must rise above 0, by board and title. */
  readonly shows: readonly (readonly [board: string, title: string])[];
  /** A mark on the boards that must be there, by name. */
  readonly marks?: string;
  /** What the Overview by itself must tell of it. */
  readonly diagnosis?: Diagnosis;
  /** Goes on at least so long, in seconds. */
  readonly lasts?: number;
  /** Seconds until nodes know of it, where they look seldom. */
  readonly noticed?: number;
}

/** Panels that stay at 0 with all of the faults: their cause is not among them. By title. */
export const QUIET: ReadonlySet<string> = new Set([
  'Kafka lag',
  'Lost before they were executed',
  'Faults of the adapters',
  'Repairs',
]);

/** In the order in which they are brought about. */
export const FAULTS: readonly Fault[] = [
  {
    name: 'poison entry in the stream',
    // One is enough.
    inject: async ({ cluster, config }) => {
      const redis = new Redis(cluster.redisUrl);
      const stream = streamNames(config.redisPrefix).partition(0);
      await redis.xadd(stream, '*', 'to', 'user:1', 'event', 'broken', 'data', '{"never": ');
      return () => redis.disconnect();
    },
    fires: ['StreamgateDeadLetters'],
    mayFire: [],
    shows: [
      ['Overview', 'Dead letters'],
      ['Messages', 'Dead letters'],
    ],
  },
  {
    name: 'client that does not read',
    inject: ({ load, cluster }) => load.slowClient(cluster.nodes[0]!.url),
    fires: [],
    // Its commands are large, and Redis and nodes carry them all.
    mayFire: ['StreamgateDeliveryBudgetBurn'],
    shows: [
      ['Node', 'Slow clients'],
      ['Overview', 'Sessions that the gateway ended'],
    ],
  },
  {
    name: 'client that floods',
    inject: ({ load, cluster }) => load.flood(cluster.nodes[0]!.url),
    fires: [],
    mayFire: [],
    shows: [['Node', 'Floods']],
  },
  {
    name: 'node nearly full',
    inject: async ({ load, cluster, prometheus, config }) => {
      const [fullest] = await prometheus.now('topk(1, sum by (instance) (streamgate_sessions))');
      const node = nodeOf(cluster, fullest);
      const most = Math.ceil(0.95 * config.maxSessions);
      return load.crowd(node.url, most - Number(fullest!.values[0]![1]));
    },
    fires: ['StreamgateNodeNearSessionLimit'],
    mayFire: [],
    shows: [],
  },
  {
    name: 'signing keys away',
    inject: async ({ load, jwks }) => {
      if (!jwks) throw new Error('the signing keys are not ours to hide');
      // Nobody has fetched this one yet.
      await jwks.rotate();
      jwks.online = false;
      const stop = load.strangers(() => jwks.tokenOf({ id: 'stranger', username: 'Stranger' }));
      return () => {
        jwks.online = true;
        stop();
      };
    },
    fires: ['StreamgateJwksFailing', 'StreamgateConnectBudgetBurn'],
    mayFire: [],
    shows: [],
  },
  {
    name: 'database killed (SIGKILL)',
    inject: async ({ postgres }) => {
      if (!postgres) throw new Error('the database is not ours to kill');
      await postgres.kill();
      return () => postgres.restart();
    },
    fires: ['StreamgateDatabaseAway'],
    mayFire: [],
    shows: [],
  },
  {
    name: 'Redis that may evict',
    inject: async ({ cluster }) => {
      const redis = new Redis(cluster.redisUrl);
      await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
      return async () => {
        await redis.config('SET', 'maxmemory-policy', 'noeviction');
        redis.disconnect();
      };
    },
    fires: ['StreamgateRedisSettings'],
    mayFire: [],
    shows: [],
    // Nodes look at the settings of Redis once a minute.
    noticed: 60,
  },
  {
    name: 'node killed (SIGKILL)',
    inject: async ({ cluster, prometheus }) => {
      // The one that executes commands, so that another has to take over.
      const [holder] = await prometheus.now('streamgate_stream_partitions > 0');
      const node = nodeOf(cluster, holder);
      node.process.kill('SIGKILL');
      return () => cluster.restart(node.number);
    },
    fires: ['StreamgateNodeAway'],
    // Its partitions wait for their lease to end, as long as two minutes are in shortened windows.
    mayFire: [
      'StreamgateNoLeaseHolder',
      'StreamgateDeliveryBudgetBurn',
      'StreamgateReconnectStorm',
    ],
    shows: [
      ['Messages', 'Take-overs'],
      ['Redis and backplane', 'Sessions of dead nodes swept'],
    ],
    diagnosis: 'a node is away',
  },
  {
    name: 'node drained',
    inject: async ({ cluster }) => {
      const url = `${cluster.nodes[0]!.managementUrl}/admin/drain`;
      await fetch(url, { method: 'POST', body: '{"seconds": 5}' });
      return () => fetch(url, { method: 'DELETE' });
    },
    fires: [],
    mayFire: [],
    shows: [
      ['Node', 'Left to move'],
      ['Node', 'Continued and new sessions'],
    ],
    marks: 'Drains',
  },
  {
    name: 'node whose drain takes a day',
    inject: async ({ cluster }) => {
      const url = `${cluster.nodes[1]!.managementUrl}/admin/drain`;
      await fetch(url, { method: 'POST', body: '{"seconds": 86400}' });
      return () => fetch(url, { method: 'DELETE' });
    },
    fires: ['StreamgateDrainStuck'],
    mayFire: [],
    shows: [],
    marks: 'Drains',
  },
  {
    name: 'Redis paused (SIGSTOP)',
    inject: async ({ cluster: { redis } }) => {
      if (!redis || !isRunning(redis)) throw new Error('Redis is not ours to pause');
      redis.kill('SIGSTOP');
      return () => redis.kill('SIGCONT');
    },
    fires: ['StreamgateBackplaneDegraded', 'StreamgateCommandBudgetBurn'],
    mayFire: [
      'StreamgateDeliveryBudgetBurn',
      'StreamgateConnectBudgetBurn',
      'StreamgateLagGrowing',
      'StreamgateNoLeaseHolder',
      'StreamgateReconnectStorm',
      'StreamgateGhosts',
    ],
    shows: [
      ['Overview', 'Faults of Redis calls'],
      ['Overview', 'Not forwarded'],
      ['Redis and backplane', 'Faults by kind'],
    ],
    diagnosis: 'Redis',
    lasts: 20,
  },
];

/** @param series that says where it is from */
function nodeOf({ nodes }: Cluster, series: Series | undefined): RunningNode {
  const instance = series?.metric['instance'] ?? '';
  return nodes.find(({ managementUrl }) => managementUrl.endsWith(instance))!;
}
