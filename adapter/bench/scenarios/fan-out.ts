import { type Candidate, BenchSession, Cluster, heardBy, openAll } from '../cluster.ts';
import type { Extent } from '../../../gateway/bench/measure.ts';
import { both, interleave, sum } from '../measure.ts';
import { type Row, row } from '../report.ts';

interface Pace {
  readonly burst: number;
  readonly window: number;
  /** Nobody publishes: each node writes ready-made frames into the sockets that it has. */
  readonly bare?: boolean;
}

const ROOM = 'stadium';
const SESSIONS = 1000;

/**
 * One room of a thousand sessions on two nodes; one node publishes. What the writing itself costs, which
 * no adapter can do without, is measured in the same rounds.
 */
export async function fanOut(run: Extent): Promise<Row[]> {
  const sessions = Math.ceil(SESSIONS * run.scale);
  const clusters = await both(async (kind) => {
    const cluster = await Cluster.start(kind, 2);
    const members = Array.from({ length: sessions }, () => new BenchSession([ROOM]));
    await openAll(members, (index) => cluster.nodes[index % 2]!.url);
    return { cluster, members };
  });

  /** @param pace `burst` events leave in one turn, and as many as `window` are under way */
  async function speak(kind: Candidate, full: number, { burst, window, bare = false }: Pace) {
    const { cluster, members } = clusters[kind];
    const speakers = cluster.nodes.slice(0, bare ? undefined : 1);
    const count = Math.ceil((full * Math.max(run.scale, 0.2)) / burst) * burst;
    const spent = await cluster.measure(async () => {
      let told = 0;
      const all = heardBy(members, count * members.length, (total) => {
        const turns = Math.floor(total / members.length / burst);
        if (turns === told) return;
        told = turns;
        for (const speaker of speakers) speaker.heard(turns * burst);
      });
      const order = { count, rooms: [ROOM], bytes: 100, window, bare };
      await Promise.all(speakers.map((speaker) => speaker.publish(order)));
      await all;
    });
    const deliveries = count * members.length;
    return {
      perSecond: deliveries / (spent.millis / 1000),
      nodes: sum(spent.nodes) / deliveries,
      redis: spent.redis / count,
      clients: spent.clients / deliveries,
    };
  }

  const one = await interleave(run, 'one event after the other', async (kind) => {
    const sample = await speak(kind, 200, { burst: 1, window: 1 });
    if (kind === 'streams') return sample;
    const bare = await speak(kind, 200, { burst: 1, window: 1, bare: true });
    return { ...sample, bare: bare.perSecond, bareNodes: bare.nodes };
  });
  const { streams } = one;
  const floor = {
    streams,
    mailbox: one.mailbox.map(({ bare, bareNodes }) => ({ perSecond: bare!, nodes: bareNodes! })),
  };
  const flow = await interleave(run, 'four events under way', (kind) =>
    speak(kind, 400, { burst: 1, window: 4 }),
  );
  const ten = await interleave(run, 'ten events a tick', (kind) =>
    speak(kind, 400, { burst: 10, window: 10 }),
  );
  await both((kind) => clusters[kind].cluster.stop());
  return [
    row(
      `Fan-out to ${sessions} sessions, one event after the other`,
      'deliveries/s',
      one,
      'perSecond',
      { wanted: 1.8 },
    ),
    row('CPU of the nodes for a delivery in it', 'µs', one, 'nodes'),
    row('The most that can be: bare writes, no adapter', 'deliveries/s', floor, 'perSecond'),
    row('CPU of the nodes for a bare write', 'µs', floor, 'nodes'),
    row('Fan-out, four events under way', 'deliveries/s', flow, 'perSecond', { wanted: 1.8 }),
    row('CPU of the nodes for a delivery in it', 'µs', flow, 'nodes'),
    row('Ten events a tick to that room', 'deliveries/s', ten, 'perSecond', { wanted: 5 }),
    row('CPU of the nodes for a delivery in it', 'µs', ten, 'nodes'),
  ];
}
