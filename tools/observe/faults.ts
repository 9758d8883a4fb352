import { Redis } from 'ioredis';
import { streamNames } from '@streamgate/protocol/stream';
import { isRunning } from '../cluster-parts.ts';
import type { Diagnosis } from './diagnosis.ts';
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
}

/** Panels that stay at 0 with all of the faults: their cause is not among them. By title. */
export const QUIET: ReadonlySet<string> = new Set([
  'Kafka lag',
  'Floods',
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
    name: 'node killed (SIGKILL)',
    inject: async ({ cluster, prometheus }) => {
      // The one that executes commands, so that another has to take over.
      const [holder] = await prometheus.now('streamgate_stream_partitions > 0');
      const node = cluster.nodes.find(({ managementUrl }) =>
        managementUrl.endsWith(holder!.metric['instance']!),
      )!;
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
