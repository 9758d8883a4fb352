import { type Candidate, BenchSession, Cluster, openAll } from '../cluster.ts';
import type { Extent } from '../../../gateway/bench/measure.ts';
import type { Register } from '../node.ts';
import type { BenchNode } from '../process.ts';
import { type Row, row } from '../report.ts';

const SESSIONS = 100_000;
const IDLE = 4000;
const MORE_ROOMS = 4;

/**
 * What Redis holds for sessions and for rooms; stock keeps neither there, and so nothing to recover. These
 * sessions have no connections (see `register` in `node.ts`), those whose heap is measured do.
 */
export async function memory(run: Extent): Promise<Row[]> {
  const count = 2 * Math.ceil((SESSIONS * run.scale) / 2);
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
      `Redis memory of a session in a room of its own, at ${count.toLocaleString('en')}`,
      'bytes',
      measured,
      'session',
    ),
    row('and of each further room of its own', 'bytes', measured, 'room'),
    row('and of each further room that all share', 'bytes', measured, 'shared'),
  ];
}

async function measure(kind: Candidate, count: number) {
  const session = await bytesOf(kind, { sessions: count, own: 1, shared: 0 });
  const own = await bytesOf(kind, { sessions: count, own: 1 + MORE_ROOMS, shared: 0 });
  const shared = await bytesOf(kind, { sessions: count, own: 1, shared: MORE_ROOMS });
  return {
    session,
    room: (own - session) / MORE_ROOMS,
    shared: (shared - session) / MORE_ROOMS,
  };
}

/** Bytes of Redis for each of these sessions, half of them on each of two nodes. */
async function bytesOf(kind: Candidate, { sessions, ...rooms }: Register): Promise<number> {
  const cluster = await Cluster.start(kind, 2);
  // While it writes its file anew Redis does not let tables grow as it else does.
  await cluster.admin.config('SET', 'auto-aof-rewrite-percentage', 0);
  const used = async () => {
    await cluster.quiet();
    // With each look at a key Redis moves a little of them from the table that they have grown out of.
    const nothing = Array.from({ length: 10_000 }, () => '-');
    for (let looked = 0; looked < 10 * sessions; looked += nothing.length)
      await cluster.admin.exists(nothing);
    const info = await cluster.admin.info('memory');
    const bytes = (name: string) => Number(new RegExp(`${name}:(\\d+)`).exec(info)![1]);
    return bytes('used_memory') - bytes('mem_clients_normal') - bytes('mem_aof_buffer');
  };
  const before = await used();
  await Promise.all(
    cluster.nodes.map((node) => node.register({ sessions: sessions / 2, ...rooms })),
  );
  const bytes = (await used()) - before;
  await cluster.stop();
  return bytes / sessions;
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
