import { startRedis } from '../../test/redis.js';
import { secret, startOurs, startStock } from '../candidates.js';
import { interleave, newUsers, type Row, type Run, type Sample } from '../measure.js';
import type { Server } from '../server.js';

const PAIRS = 50;

/** Of the steady rate, messages a second and seconds of a round at full scale. */
const PER_SECOND = 500;
const SECONDS = 4;
/** At such a rate so many rounds pass until all is compiled, on either side. */
const WARM_UP = 4;

interface Pair {
  stock: Ready;
  ours: Ready;
  stop: () => Promise<void>;
}

/** Private messages from sessions of one node to sessions of another, by way of Redis. */
export async function unicast(run: Run): Promise<Row[]> {
  const { stock, ours, stop } = await started(run);
  // Not measured: both programs are compiled by now.
  await flood(run, stock);
  await flood(run, ours);
  const measured = await interleave(run, 'unicast over two nodes', {
    stock: () => flood(run, stock),
    ours: () => flood(run, ours),
  });
  await stop();
  return [
    { ...row(measured, 'Unicast over two nodes', 'perSecond', 'messages/s'), wanted: 1 },
    { ...row(measured, 'CPU of a message in it, both nodes', 'cpu'), wanted: 1 },
  ];
}

/** The same at a rate that both keep up with, on nodes of its own: what a flood has left is none of its matter. */
export async function steadyUnicast(run: Run): Promise<Row[]> {
  const { stock, ours, stop } = await started(run);
  const warm = { ...run, scale: run.scale * WARM_UP };
  await pace(warm, stock);
  await pace(warm, ours);
  const measured = await interleave(run, 'unicast at a steady rate', {
    stock: () => pace(run, stock),
    ours: () => pace(run, ours),
  });
  await stop();
  return [
    row(measured, `Time of a message at ${PER_SECOND}/s, median`, 'p50'),
    row(measured, `Time of a message at ${PER_SECOND}/s, 99 %`, 'p99'),
  ];
}

function row(
  { stock, ours }: { stock: Sample; ours: Sample },
  measure: string,
  name: string,
  unit = 'µs',
): Row {
  const better = unit === 'µs' ? 'lower' : 'higher';
  return { measure, unit, better, stock: stock[name]!, ours: ours[name]! };
}

async function started(run: Run): Promise<Pair> {
  // As it is run in production: a write is on the disk within a second, not before it is answered.
  const redis = await startRedis({ args: ['--appendfsync', 'everysec'] });
  const stock = await ready(run, await Promise.all([startStock(redis.url), startStock(redis.url)]));
  const ours = await ready(run, await Promise.all([startOurs(redis.url), startOurs(redis.url)]));
  const stop = async () => {
    for (const server of [...stock.nodes, ...ours.nodes]) await server.stop();
    await redis.stop();
  };
  return { stock, ours, stop };
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

async function flood(
  { load, scale }: Run,
  { senders, receivers, users, nodes }: Ready,
): Promise<Sample> {
  const cpu = async () => {
    const readings = await Promise.all(nodes.map((node) => node.read()));
    return readings.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0);
  };
  for (const node of nodes) await node.quiet();
  const before = await cpu();
  const count = Math.ceil(10_000 * scale);
  const { millis } = await load.run('unicast', {
    ...{ senders, receivers, users },
    pace: { count, window: 4 },
  });
  return { perSecond: count / (millis / 1000), cpu: ((await cpu()) - before) / count };
}

async function pace(
  { load, scale }: Run,
  { senders, receivers, users, nodes }: Ready,
): Promise<Sample> {
  for (const node of nodes) await node.quiet();
  const { value } = await load.run('unicast', {
    ...{ senders, receivers, users },
    pace: { count: Math.ceil(PER_SECOND * SECONDS * scale), window: 1 },
    perSecond: PER_SECOND,
  });
  return { p50: value.p50Micros, p99: value.p99Micros };
}
