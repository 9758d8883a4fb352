import { interleave } from '../../../gateway/bench/measure.ts';
import { type Candidate, BenchSession, Cluster, openAll } from '../cluster.ts';
import { type Row, type Run, both, row } from '../report.ts';

const SESSIONS = 100;
const BYTES = 100;
/** Of each node's messages, so many are under way: far less than stock's stream holds. */
const WINDOW = 1024;
/** How often the nodes are told what has come, in messages. */
const CREDIT = 128;

/** Events to one user each, over two nodes that both publish and both have sessions. */
export async function unicast(run: Run): Promise<Row[]> {
  const clusters = await both(async (kind) => ready(await Cluster.start(kind, 2)));
  const measure = (kind: Candidate) => () => write(run, clusters[kind], 20_000);
  // Not measured: both are compiled by now.
  for (const kind of ['streams', 'mailbox'] as const) await measure(kind)();
  const measured = await interleave(run, 'unicast over two nodes', {
    streams: measure('streams'),
    mailbox: measure('mailbox'),
  });
  const steady = await interleave(run, 'unicast at a steady rate', {
    streams: () => pace(run, clusters.streams),
    mailbox: () => pace(run, clusters.mailbox),
  });
  await both((kind) => clusters[kind].cluster.stop());
  return [
    row('Unicast over two nodes', 'messages/s', measured, 'perSecond', { wanted: 3 }),
    row('CPU of both nodes for a message in it', 'µs', measured, 'nodes'),
    row('CPU of Redis for a message in it', 'µs', measured, 'redis'),
    row('Time of a message at 2,000/s, median', 'µs', steady, 'p50'),
    row('Time of a message at 2,000/s, 99 %', 'µs', steady, 'p99', { wanted: 1 }),
  ];
}

/** The same with eight more nodes that have no sessions. */
export async function tenNodes(run: Run): Promise<Row[]> {
  const clusters = await both(async (kind) => ready(await Cluster.start(kind, 10)));
  const measure = (kind: Candidate) => () => write(run, clusters[kind], 10_000);
  for (const kind of ['streams', 'mailbox'] as const) await measure(kind)();
  const measured = await interleave(run, 'unicast over ten nodes', {
    streams: measure('streams'),
    mailbox: measure('mailbox'),
  });
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

/** As fast as it goes: until all have come. */
async function write({ scale }: Run, { cluster, sessions, rooms }: Ready, full: number) {
  const count = Math.ceil(full * scale);
  const publishers = cluster.nodes.slice(0, 2);
  const { nodes, redis, millis } = await cluster.measure(async () => {
    let total = 0;
    const all = heardBy(sessions, 2 * count, () => {
      if (++total % CREDIT === 0) for (const node of publishers) node.heard(total / 2);
    });
    const order = { count, rooms, bytes: BYTES, window: WINDOW };
    await Promise.all(publishers.map((node) => node.publish(order)));
    await all;
  });
  const messages = 2 * count;
  const sum = (micros: number[]) => micros.reduce((total, each) => total + each, 0);
  const idle = nodes.slice(2);
  return {
    perSecond: messages / (millis / 1000),
    nodes: sum(nodes.slice(0, 2)) / messages,
    redis: redis / messages,
    all: (sum(nodes) + redis) / messages,
    ...(idle.length > 0 && { idle: sum(idle) / idle.length / messages }),
  };
}

/** At a rate that both can keep up with, both nodes together. */
async function pace({ scale }: Run, { cluster, sessions, rooms }: Ready) {
  const count = Math.ceil(5000 * scale);
  const micros: number[] = [];
  await cluster.quiet();
  const all = heardBy(sessions, 2 * count, (packet) => {
    const at = packet.lastIndexOf('"at":') + 5;
    const sent = Number.parseInt(packet.toString('latin1', at, at + 20), 10);
    micros.push(Number(process.hrtime.bigint() / 1000n) - sent);
  });
  await Promise.all(
    cluster.nodes.map((node) =>
      node.publish({ count, rooms, bytes: BYTES, window: 0, perSecond: 1000 }),
    ),
  );
  await all;
  micros.sort((a, b) => a - b);
  const at = (share: number) => micros[Math.floor(micros.length * share)]!;
  return { p50: at(0.5), p99: at(0.99) };
}

/** Resolves when they have heard so many events together. */
export function heardBy(
  sessions: readonly BenchSession[],
  count: number,
  heard: (packet: Buffer) => void = () => undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let total = 0;
    const timer = setTimeout(
      () => reject(new Error(`${total} of ${count} came in two minutes`)),
      120_000,
    );
    for (const session of sessions)
      session.heard = (packet) => {
        heard(packet);
        if (++total < count) return;
        clearTimeout(timer);
        resolve();
      };
  });
}
