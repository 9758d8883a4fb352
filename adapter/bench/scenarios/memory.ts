import { type Candidate, BenchSession, Cluster, openAll } from '../cluster.ts';
import type { Run } from '../measure.ts';
import type { BenchNode } from '../process.ts';
import { type Row, row } from '../report.ts';

const SESSIONS = 10_000;
const IDLE = 4000;
const MORE_ROOMS = 4;

/** What Redis holds for sessions and for rooms; stock keeps neither there, and so nothing to recover. */
export async function memory(run: Run): Promise<Row[]> {
  const count = Math.ceil(SESSIONS * run.scale);
  const measured = {
    streams: [await measure('streams', count)],
    mailbox: [await measure('mailbox', count)],
  };
  run.progress(`memory: ${JSON.stringify(measured)}`);
  const idle = Math.ceil(IDLE * run.scale);
  const heaps = {
    streams: [await heapOf('streams', idle)],
    mailbox: [await heapOf('mailbox', idle)],
  };
  run.progress(`heap: ${JSON.stringify(heaps)}`);
  return [
    row('Heap of an idle session on its node', 'KiB', heaps, 'session'),
    row(
      `Redis memory of a session in a room of its own, at ${count}`,
      'bytes',
      measured,
      'session',
    ),
    row('and of each further room of its own', 'bytes', measured, 'room'),
    row('and of each further room that all share', 'bytes', measured, 'shared'),
  ];
}

async function measure(kind: Candidate, count: number) {
  const cluster = await Cluster.start(kind, 2);
  const used = async () => {
    await cluster.quiet();
    return Number(/used_memory:(\d+)/.exec(await cluster.admin.info('memory'))![1]);
  };
  /** Bytes that each of so many sessions costs, the events that welcomed them aside. */
  const cost = async (roomsOf: (index: number) => string[]) => {
    const before = await used();
    const sessions = Array.from({ length: count }, (_, index) => new BenchSession(roomsOf(index)));
    await openAll(sessions, (index) => cluster.nodes[index % 2]!.url);
    for (const key of await cluster.admin.keys('*'))
      if ((await cluster.admin.type(key)) === 'stream') await cluster.admin.xtrim(key, 'MAXLEN', 0);
    const bytes = ((await used()) - before) / count;
    for (const session of sessions) session.end();
    return bytes;
  };
  const more = (name: (room: number) => string) =>
    Array.from({ length: MORE_ROOMS }, (_, room) => name(room));
  const session = await cost((index) => [`a:${index}`]);
  const own = await cost((index) => [`b:${index}`, ...more((room) => `b:${index}:${room}`)]);
  const shared = await cost((index) => [`c:${index}`, ...more((room) => `shared:${room}`)]);
  await cluster.stop();
  return {
    session,
    room: (own - session) / MORE_ROOMS,
    shared: (shared - session) / MORE_ROOMS,
  };
}

/** KiB of the node's heap for a session that is in a room of its own. */
async function heapOf(kind: Candidate, count: number) {
  const cluster = await Cluster.start(kind, 1);
  const [node] = cluster.nodes as [BenchNode];
  const open = async (name: string) => {
    const all = Array.from({ length: count }, (_, index) => new BenchSession([`${name}:${index}`]));
    await openAll(all, () => node.url);
    await cluster.quiet();
    return (await node.read(true)).heapUsedBytes;
  };
  // What the first ones bring with them, compiled code above all, is not theirs.
  const before = await open('first');
  const session = ((await open('second')) - before) / count / 1024;
  await cluster.stop();
  return { session };
}
