import { BenchSession, Cluster, eachHeardBy, heardBy, openAll } from '../cluster.ts';
import type { Extent } from '../../../gateway/bench/measure.ts';
import { both, interleave, sum } from '../measure.ts';
import { type Row, row } from '../report.ts';

const SESSIONS = 100;
const BYTES = 100;
/** Of each node's messages, so many are under way: far less than stock's stream holds. */
const WINDOW = 1024;
/** Both nodes together, where time is measured: a tenth of what stock can carry. */
const PER_SECOND = 4000;
/** Time of a message is measured in so many times as many rounds: one pause spoils one. */
const MORE = 4;
/** How long a round of that takes, in seconds, at full scale. */
const SECONDS = 3;
/** Before the first one it runs for so many rounds: at such a rate that long passes until all is compiled, on either side. */
const WARM_UP = 4;
/** How often the nodes are told what has come, in messages. */
const CREDIT = 128;

/** Events to one user each, over two nodes that both publish and both have sessions. */
export async function unicast(run: Extent): Promise<Row[]> {
  const clusters = await both(async (kind) => ready(await Cluster.start(kind, 2)));
  const flood = await interleave(run, 'unicast over two nodes', (kind) =>
    write(run, clusters[kind], kind === 'streams' ? 20_000 : 60_000),
  );
  await both((kind) => clusters[kind].cluster.stop());
  return [
    row('Unicast over two nodes', 'messages/s', flood, 'perSecond', { wanted: 3 }),
    row('CPU of both nodes for a message in it', 'µs', flood, 'nodes'),
    row('CPU of Redis for a message in it', 'µs', flood, 'redis'),
  ];
}

/** The same at a rate that both keep up with, on nodes of its own: no flood's history to trim, no large Redis to fork. */
export async function steadyUnicast(run: Extent): Promise<Row[]> {
  const clusters = await both(async (kind) => ready(await Cluster.start(kind, 2)));
  await both((kind) => pace({ ...run, scale: run.scale * WARM_UP }, clusters[kind]));
  const more = { ...run, rounds: run.rounds * MORE };
  const steady = await interleave(more, 'unicast at a steady rate', (kind) =>
    pace(run, clusters[kind]),
  );
  await both((kind) => clusters[kind].cluster.stop());
  return [
    row(`Time of a message at ${PER_SECOND}/s, median`, 'µs', steady, 'p50'),
    row(`Time of a message at ${PER_SECOND}/s, 99 %`, 'µs', steady, 'p99', {
      wanted: 1,
      interval: true,
    }),
    row('CPU of both nodes for a message at that rate', 'µs', steady, 'nodes'),
  ];
}

/** As fast as it goes with eight more nodes that have no sessions. */
export async function tenNodes(run: Extent): Promise<Row[]> {
  const clusters = await both(async (kind) => ready(await Cluster.start(kind, 10)));
  const measured = await interleave(run, 'unicast over ten nodes', (kind) =>
    write(run, clusters[kind], kind === 'streams' ? 10_000 : 60_000),
  );
  await both((kind) => clusters[kind].cluster.stop());
  return [
    row('Unicast over ten nodes, eight without sessions', 'messages/s', measured, 'perSecond', {
      wanted: 8,
    }),
    row('CPU of all processes for a message in it', 'µs', measured, 'all'),
    row('CPU of a node without members for a message', 'µs', measured, 'idle'),
  ];
}

interface Ready {
  cluster: Cluster;
  sessions: BenchSession[];
  rooms: string[];
}

async function ready(cluster: Cluster): Promise<Ready> {
  const rooms = Array.from({ length: SESSIONS }, (_, index) => `user:${index}`);
  const sessions = rooms.map((room) => new BenchSession([room]));
  await openAll(sessions, (index) => cluster.nodes[index % 2]!.url);
  return { cluster, sessions, rooms };
}

/**
 * As fast as it goes: until all have come.
 * @param full messages of each node: more where they go faster, so that both are measured for as long
 */
async function write({ scale }: Extent, { cluster, sessions, rooms }: Ready, full: number) {
  const count = Math.ceil(full * scale);
  const publishers = cluster.nodes.slice(0, 2);
  const messages = 2 * count;
  const { nodes, redis, clients, millis } = await cluster.measure(async () => {
    let told = 0;
    const all = heardBy(sessions, messages, (total) => {
      if (total - told < CREDIT) return;
      told = total;
      for (const node of publishers) node.heard(total / 2);
    });
    const order = { count, rooms, bytes: BYTES, window: WINDOW };
    await Promise.all(publishers.map((node) => node.publish(order)));
    await all;
  });
  const idle = nodes.slice(2);
  return {
    perSecond: messages / (millis / 1000),
    nodes: sum(nodes.slice(0, 2)) / messages,
    redis: redis / messages,
    clients: clients / messages,
    all: (sum(nodes) + redis) / messages,
    ...(idle.length > 0 && { idle: sum(idle) / idle.length / messages }),
  };
}

/** At a rate that both can keep up with, both nodes together. */
async function pace({ scale }: Extent, { cluster, sessions, rooms }: Ready) {
  const count = Math.ceil((PER_SECOND / 2) * SECONDS * scale);
  const micros: number[] = [];
  const { nodes } = await cluster.measure(async () => {
    const all = eachHeardBy(sessions, 2 * count, (packet) => {
      const at = packet.lastIndexOf('"at":') + 5;
      const sent = Number.parseInt(packet.toString('latin1', at, at + 20), 10);
      micros.push(Number(process.hrtime.bigint() / 1000n) - sent);
    });
    const order = { count, rooms, bytes: BYTES, window: 0, perSecond: PER_SECOND / 2 };
    await Promise.all(cluster.nodes.map((node) => node.publish(order)));
    await all;
  });
  micros.sort((a, b) => a - b);
  const at = (share: number) => micros[Math.floor(micros.length * share)]!;
  return { p50: at(0.5), p99: at(0.99), nodes: sum(nodes) / (2 * count) };
}
