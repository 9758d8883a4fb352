import { interleave } from '../../../gateway/bench/measure.ts';
import { BenchSession, Cluster, openAll } from '../cluster.ts';
import { type Row, type Run, both, row } from '../report.ts';
import { heardBy } from './unicast.ts';

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
  type Ready = (typeof clusters)['streams'];

  /** @param burst events of one turn; the next ones leave when these have reached everybody */
  async function speak({ cluster, members }: Ready, count: number, burst: number) {
    const turns = Math.ceil(count / burst);
    const { nodes, redis, millis } = await cluster.measure(async () => {
      for (let turn = 0; turn < turns; turn++) {
        const all = heardBy(members, burst * members.length);
        await cluster.nodes[0]!.publish({ count: burst, rooms: [ROOM], bytes: 100, window: burst });
        await all;
      }
    });
    const deliveries = turns * burst * members.length;
    return {
      perSecond: deliveries / (millis / 1000),
      nodes: nodes.reduce((sum, each) => sum + each, 0) / deliveries,
      redis: redis / (turns * burst),
    };
  }

  const single = (ready: Ready) => () => speak(ready, 100 * Math.max(run.scale, 0.2), 1);
  const tens = (ready: Ready) => () => speak(ready, 400 * Math.max(run.scale, 0.2), 10);
  for (const ready of Object.values(clusters)) {
    await single(ready)();
    await tens(ready)();
  }
  const one = await interleave(run, 'fan-out', {
    streams: single(clusters.streams),
    mailbox: single(clusters.mailbox),
  });
  const ten = await interleave(run, 'ten events a tick', {
    streams: tens(clusters.streams),
    mailbox: tens(clusters.mailbox),
  });
  await both((kind) => clusters[kind].cluster.stop());
  return [
    row(`Fan-out to ${sessions} sessions`, 'deliveries/s', one, 'perSecond', { wanted: 1.8 }),
    row('CPU of the nodes for a delivery in it', 'µs', one, 'nodes'),
    row('Ten events a tick to that room', 'deliveries/s', ten, 'perSecond', { wanted: 5 }),
    row('CPU of the nodes for a delivery in it', 'µs', ten, 'nodes'),
  ];
}
