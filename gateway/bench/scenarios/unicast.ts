import { startRedis } from '../../test/redis.js';
import { secret, startOurs, startStock } from '../candidates.js';
import { interleave, newUsers, type Row, type Run, type Sample } from '../measure.js';
import type { Server } from '../server.js';

const PAIRS = 50;

/** Private messages from sessions of one node to sessions of another, by way of Redis. */
export async function unicast(run: Run): Promise<Row[]> {
  // As it is run in production: a write is on the disk within a second, not before it is answered.
  const redis = await startRedis({ args: ['--appendfsync', 'everysec'] });
  const stock = await ready(run, await Promise.all([startStock(redis.url), startStock(redis.url)]));
  const ours = await ready(run, await Promise.all([startOurs(redis.url), startOurs(redis.url)]));
  // Not measured: both programs are compiled by now.
  await write(run, stock);
  await write(run, ours);
  const measured = await interleave(run, 'unicast over two nodes', {
    stock: () => write(run, stock),
    ours: () => write(run, ours),
  });
  for (const server of [...stock.nodes, ...ours.nodes]) await server.stop();
  await redis.stop();
  const row = (measure: string, name: string, unit = 'µs'): Row => ({
    measure,
    unit,
    better: unit === 'µs' ? 'lower' : 'higher',
    stock: measured.stock[name]!,
    ours: measured.ours[name]!,
  });
  return [
    { ...row('Unicast over two nodes', 'perSecond', 'messages/s'), wanted: 1 },
    { ...row('CPU of a message in it, both nodes', 'cpu'), wanted: 1 },
    row('Time of a message at 500/s, median', 'p50'),
    row('Time of a message at 500/s, 99 %', 'p99'),
  ];
}

interface Ready {
  nodes: [Server, Server];
  senders: number;
  receivers: number;
  /** Ids of the receivers. */
  users: string[];
}

async function ready({ load }: Run, nodes: [Server, Server]): Promise<Ready> {
  const users = newUsers(PAIRS);
  const open = async (url: string, names: string[]) =>
    (await load.run('open', { url, users: names, secret })).value.group;
  const senders = await open(nodes[0].url, newUsers(PAIRS));
  return { nodes, users, senders, receivers: await open(nodes[1].url, users) };
}

async function write(
  { load, scale }: Run,
  { senders, receivers, users, nodes }: Ready,
): Promise<Sample> {
  const cpu = async () => {
    const readings = await Promise.all(nodes.map((node) => node.read()));
    return readings.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0);
  };
  const groups = { senders, receivers, users };
  for (const node of nodes) await node.quiet();
  const before = await cpu();
  const count = Math.ceil(10_000 * scale);
  const flood = await load.run('unicast', { ...groups, pace: { count, window: 4 } });
  const after = await cpu();
  const steady = await load.run('unicast', {
    ...groups,
    pace: { count: Math.ceil(1000 * scale), window: 1 },
    perSecond: 500,
  });
  return {
    perSecond: count / (flood.millis / 1000),
    cpu: (after - before) / count,
    p50: steady.value.p50Micros,
    p99: steady.value.p99Micros,
  };
}
