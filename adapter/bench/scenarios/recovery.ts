import { interleave } from '../../../gateway/bench/measure.ts';
import { type Candidate, BenchSession, Cluster, openAll } from '../cluster.ts';
import { type Row, type Run, both, row } from '../report.ts';
import { heardBy } from './unicast.ts';

/** Stock keeps 10,000 entries. */
const ENTRIES = 9500;
const OTHERS = 95;
const AT_ONCE = 1000;

/**
 * Sessions that come back to another node, 9,500 events behind of which every 96th is theirs: one
 * alone, and a thousand at once.
 */
export async function recovery(run: Run): Promise<Row[]> {
  const clusters = await both((kind) => Cluster.start(kind, 2));
  const measure = (kind: Candidate, count: number) => () => comeBack(run, clusters[kind], count);
  for (const kind of ['streams', 'mailbox'] as const) await measure(kind, 1)();
  const alone = await interleave(run, 'one comes back', {
    streams: measure('streams', 1),
    mailbox: measure('mailbox', 1),
  });
  const count = Math.ceil(AT_ONCE * run.scale);
  const together = await interleave(run, `${count} come back`, {
    streams: measure('streams', count),
    mailbox: measure('mailbox', count),
  });
  await both((kind) => clusters[kind].stop());
  const behind = Math.ceil(ENTRIES * run.scale).toLocaleString('en');
  return [
    row(`One comes back, ${behind} entries behind: CPU of nodes and Redis`, 'ms', alone, 'cpu', {
      wanted: 10,
    }),
    row('Until it has all that it missed', 'ms', alone, 'millis'),
    row(`${count} come back at once: CPU of nodes and Redis`, 'ms', together, 'cpu', {
      wanted: 10,
    }),
    row('Until all have all that they missed', 'ms', together, 'millis'),
    row('Told `recovered: false` among them', 'sessions', together, 'refused'),
  ];
}

let generation = 0;

async function comeBack({ scale }: Run, cluster: Cluster, returning: number) {
  const [from, to] = [cluster.nodes[0]!, cluster.nodes[1]!];
  const room = `behind:${++generation}`;
  const sessions = Array.from({ length: returning }, () => new BenchSession([room]));
  await openAll(sessions, () => from.url);
  const other = new BenchSession(Array.from({ length: OTHERS }, (_, index) => `loud:${index}`));
  await other.open(from.url);
  for (const session of sessions) session.end();
  await cluster.quiet();
  const missed = Math.ceil((ENTRIES * scale) / (OTHERS + 1));
  const rooms = [room, ...Array.from({ length: OTHERS }, (_, index) => `loud:${index}`)];
  const count = missed * rooms.length;
  let heard = 0;
  const written = heardBy([other], missed * OTHERS, () => {
    if (++heard % OTHERS === 0) from.heard((heard / OTHERS) * rooms.length);
  });
  await from.publish({ count, rooms, bytes: 100, window: 1024 });
  await written;
  let refused = 0;
  const { millis, nodes, redis } = await cluster.measure(async () => {
    const all = heardBy(sessions, returning * missed);
    await Promise.all(
      sessions.map(async (session) => {
        await session.open(to.url);
        if (session.recovered) return;
        // It is not to be waited for.
        refused++;
        for (let event = 0; event < missed; event++) session.heard(Buffer.alloc(0));
      }),
    );
    await all;
  });
  for (const session of [...sessions, other]) session.end();
  const cpu = nodes.reduce((sum, each) => sum + each, redis);
  return { millis, cpu: cpu / 1000, refused };
}
