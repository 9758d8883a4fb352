import { type Candidate, BenchSession, Cluster, heardBy, openAll } from '../cluster.ts';
import { type Run, both, interleave, sum } from '../measure.ts';
import { type Row, row } from '../report.ts';

const ROOM = 'stadium';
const SESSIONS = 1000;

/** One room of a thousand sessions on two nodes: one event after the other, then ten at a time. */
export async function fanOut(run: Run): Promise<Row[]> {
  const sessions = Math.ceil(SESSIONS * run.scale);
  const clusters = await both(async (kind) => {
    const cluster = await Cluster.start(kind, 2);
    const members = Array.from({ length: sessions }, () => new BenchSession([ROOM]));
    await openAll(members, (index) => cluster.nodes[index % 2]!.url);
    return { cluster, members };
  });

  /** @param burst events of one turn; the next ones leave when these have reached everybody */
  async function speak(kind: Candidate, full: number, burst: number) {
    const { cluster, members } = clusters[kind];
    const turns = Math.ceil((full * Math.max(run.scale, 0.2)) / burst);
    const spent = await cluster.measure(async () => {
      for (let turn = 0; turn < turns; turn++) {
        const all = heardBy(members, burst * members.length);
        await cluster.nodes[0]!.publish({ count: burst, rooms: [ROOM], bytes: 100, window: burst });
        await all;
      }
    });
    const deliveries = turns * burst * members.length;
    return {
      perSecond: deliveries / (spent.millis / 1000),
      nodes: sum(spent.nodes) / deliveries,
      redis: spent.redis / (turns * burst),
      clients: spent.clients / deliveries,
    };
  }

  const one = await interleave(run, 'fan-out', (kind) => speak(kind, 200, 1));
  const ten = await interleave(run, 'ten events a tick', (kind) => speak(kind, 400, 10));
  await both((kind) => clusters[kind].cluster.stop());
  return [
    row(`Fan-out to ${sessions} sessions`, 'deliveries/s', one, 'perSecond', { wanted: 1.8 }),
    row('CPU of the nodes for a delivery in it', 'µs', one, 'nodes'),
    row('Ten events a tick to that room', 'deliveries/s', ten, 'perSecond', { wanted: 5 }),
    row('CPU of the nodes for a delivery in it', 'µs', ten, 'nodes'),
  ];
}
