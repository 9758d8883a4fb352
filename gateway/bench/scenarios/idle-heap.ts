import { secret, startOurs, startStock } from '../candidates.js';
import { interleave, newUsers, type Row, type Run, type Sample } from '../measure.js';
import type { Server } from '../server.js';

/** Heap that one idle session costs, all handlers bound: fresh processes, a full collection before each reading. */
export async function idleHeap(run: Run): Promise<Row[]> {
  const measured = await interleave(run, 'idle heap', {
    stock: () => heapPerSession(run, startStock()),
    'stock with 30 handlers': () => heapPerSession(run, startStock(undefined, 30)),
    ours: () => heapPerSession(run, startOurs()),
  });
  const ours = measured.ours.kib!;
  const row = { unit: 'KiB', better: 'lower', ours, wanted: 5, atMost: 20 } as const;
  return [
    {
      ...row,
      measure: 'Heap of an idle session, stock with 30 handlers',
      stock: measured['stock with 30 handlers'].kib!,
    },
    {
      ...row,
      measure: 'Heap of an idle session, stock with 13 handlers',
      stock: measured.stock.kib!,
    },
  ];
}

async function heapPerSession({ load, scale }: Run, starting: Promise<Server>): Promise<Sample> {
  const server = await starting;
  const count = Math.ceil(4000 * scale);
  const open = async (users: string[]) => {
    const { value } = await load.run('open', { url: server.url, users, secret });
    await server.quiet();
    return value;
  };
  // Code and caches that the first sessions bring are not a session's.
  await load.run('close', await open(newUsers(Math.ceil(300 * scale))));
  await server.quiet();
  const before = await server.read({ collect: true });
  const group = await open(newUsers(count));
  const after = await server.read({ collect: true });
  await load.run('close', group);
  await server.stop();
  return {
    kib: (after.heapUsedBytes - before.heapUsedBytes) / count / 1024,
    'rss kib': (after.rssBytes - before.rssBytes) / count / 1024,
  };
}
