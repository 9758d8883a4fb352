import { BenchSession, Cluster, eachHeardBy, heardBy, openAll } from '../cluster.ts';
import type { Extent } from '../../../gateway/bench/measure.ts';
import { both, interleave, sum } from '../measure.ts';
import { type Row, row } from '../report.ts';

/** Stock keeps 10,000 entries, those included that welcome who connects. */
const ENTRIES = 9500;
const OTHERS = 95;
const TOGETHER = 1000;
const APART = 10;

/**
 * Sessions that come back to another node, thousands of events behind of which every 96th is theirs:
 * one after the other, and a thousand at once.
 */
export async function recovery(run: Extent): Promise<Row[]> {
  const clusters = await both((kind) => Cluster.start(kind, 2));
  const together = Math.ceil(TOGETHER * run.scale);
  const alone = await interleave(run, 'one comes back', (kind) =>
    comeBack(run, clusters[kind], APART, 1),
  );
  const many = await interleave(run, `${together} come back`, (kind) =>
    comeBack(run, clusters[kind], together, together),
  );
  await both((kind) => clusters[kind].stop());
  const behind = (returning: number) => `${behindOf(run, returning).toLocaleString('en')} behind`;
  return [
    row(`One comes back, ${behind(APART)}: CPU of nodes and Redis`, 'ms', alone, 'cpu', {
      wanted: 10,
    }),
    row('Until it has all that it missed', 'ms', alone, 'millis'),
    row(`${together} at once, ${behind(together)}: CPU of nodes and Redis`, 'ms', many, 'cpu', {
      wanted: 10,
    }),
    row('Until all have all that they missed', 'ms', many, 'millis'),
    row('Told `recovered: false` among them, or closed', 'sessions', many, 'refused'),
  ];
}

const behindOf = ({ scale }: Extent, returning: number) => Math.ceil((ENTRIES - returning) * scale);

let generation = 0;

/** @returns for each session that came back, or for all when they come at once */
async function comeBack(run: Extent, cluster: Cluster, returning: number, atOnce: number) {
  const [from, to] = [cluster.nodes[0]!, cluster.nodes[1]!];
  const room = `behind:${++generation}`;
  const sessions = Array.from({ length: returning }, () => new BenchSession([room], true));
  await openAll(sessions, () => from.url);
  const loud = Array.from({ length: OTHERS }, (_, index) => `loud:${index}`);
  const other = new BenchSession(loud);
  await other.open(from.url);
  for (const session of sessions) session.end();
  await cluster.quiet();
  const rooms = [room, ...loud];
  const missed = Math.ceil(behindOf(run, returning) / rooms.length);
  const written = heardBy([other], missed * OTHERS, (heard) =>
    from.heard(Math.floor(heard / OTHERS) * rooms.length),
  );
  await from.publish({ count: missed * rooms.length, rooms, bytes: 100, window: 1024 });
  await written;
  let refused = 0;
  const { millis, nodes, redis } = await cluster.measure(async () => {
    for (let first = 0; first < returning; first += atOnce) {
      const coming = sessions.slice(first, first + atOnce);
      const all = eachHeardBy(coming, coming.length * missed);
      await Promise.all(
        coming.map(async (session) => {
          // Stock is so slow at it that Socket.IO closes who has not connected within 45 s.
          await session.open(to.url).catch(() => undefined);
          if (session.recovered) return;
          // Nothing more is to be expected of it.
          refused++;
          for (let event = 0; event < missed; event++) session.hear(Buffer.alloc(0));
        }),
      );
      await all;
    }
  });
  for (const session of [...sessions, other]) session.end();
  const cpu = sum(nodes) + redis;
  const turns = returning / atOnce;
  return { millis: millis / turns, cpu: cpu / 1000 / turns, refused };
}
