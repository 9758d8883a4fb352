import { Redis } from 'ioredis';
import { type TestRedis, freePort, startRedis } from '../../gateway/test/redis.ts';
import { until } from './candidates.ts';

/** A real Redis Cluster of masters that share the slots evenly, and of one replica of the first. */
export interface TestCluster {
  /** Of one of the masters that live longest. */
  readonly url: string;
  readonly masters: readonly TestRedis[];
  readonly replica: TestRedis;
  /** The master that serves the slot of a key; answered by the last master. */
  masterOf(key: string): Promise<{ port: number | undefined }>;
  stop(): Promise<void>;
}

const SLOTS = 16_384;

/** Starts three masters and a replica, which takes over a second after the first master is gone. */
export async function startCluster(): Promise<TestCluster> {
  const servers = await Promise.all([1, 2, 3, 4].map(startMember));
  const clients = servers.map(({ url }) => new Redis(url));
  for (const client of clients) client.on('error', () => undefined);
  const masters = servers.slice(0, 3);
  const [first, , last, ofReplica] = clients as [Redis, Redis, Redis, Redis];
  for (const [index, client] of clients.entries()) {
    await client.cluster('SET-CONFIG-EPOCH', index + 1);
    if (index === 3) continue;
    const [from, to] = [index, index + 1].map((part) => Math.floor((part * SLOTS) / 3));
    await client.call('CLUSTER', 'ADDSLOTSRANGE', from!, to! - 1);
  }
  const meet = clients.slice(1).map(async (client, index) => {
    const [, bus] = await client.config('GET', 'cluster-port');
    await first.call('CLUSTER', 'MEET', '127.0.0.1', servers[index + 1]!.port, bus!);
  });
  await Promise.all(meet);
  const id = await first.cluster('MYID');
  await until(async () => {
    await ofReplica.cluster('REPLICATE', id).catch(() => undefined);
    return (await first.info('replication')).includes('state=online');
  });
  const isOk = async (client: Redis) => (await client.cluster('INFO')).includes('cluster_state:ok');
  await until(async () => (await Promise.all(clients.map(isOk))).every(Boolean));
  return {
    url: masters[2]!.url,
    masters,
    replica: servers[3]!,
    async masterOf(key) {
      const slot = await last.cluster('KEYSLOT', key);
      const ranges = await last.cluster('SLOTS');
      const range = ranges.find(([from, to]) => from <= slot && slot <= to);
      // Nobody has it while its master is gone.
      return { port: range?.[2]?.[1] };
    },
    async stop() {
      for (const client of clients) client.disconnect();
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

async function startMember(): Promise<TestRedis> {
  const bus = await freePort();
  const args = ['--cluster-enabled', 'yes', '--cluster-port', String(bus)];
  const limits = ['--cluster-node-timeout', '1000', '--repl-diskless-sync-delay', '0'];
  return startRedis({ args: [...args, ...limits, '--appendonly', 'no'] });
}
