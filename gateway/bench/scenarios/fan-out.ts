import { secret, startOurs, startStock } from '../candidates.js';
import { interleave, newUsers, type Row, type Run, type Sample } from '../measure.js';
import type { Server } from '../server.js';

const ROOM = 'stadium';

/** One session speaks in a room of a thousand: how many deliveries a second, and what each costs. */
export async function fanOut(run: Run): Promise<Row[]> {
  const stock = await ready(run, startStock());
  const ours = await ready(run, startOurs());
  // Not measured: both programs are compiled by now.
  await speak(run, stock);
  await speak(run, ours);
  const measured = await interleave(run, 'fan-out', {
    stock: () => speak(run, stock),
    ours: () => speak(run, ours),
  });
  await stock.server.stop();
  await ours.server.stop();
  return [
    {
      measure: `Fan-out to ${stock.sessions} sessions`,
      unit: 'deliveries/s',
      better: 'higher',
      stock: measured.stock.perSecond!,
      ours: measured.ours.perSecond!,
      wanted: 1,
    },
    {
      measure: 'CPU of a delivery in it',
      unit: 'µs',
      better: 'lower',
      stock: measured.stock.cpu!,
      ours: measured.ours.cpu!,
      wanted: 1,
    },
  ];
}

interface Ready {
  server: Server;
  group: number;
  sessions: number;
}

async function ready({ load, scale }: Run, starting: Promise<Server>): Promise<Ready> {
  const server = await starting;
  const sessions = Math.ceil(1000 * scale);
  const { value } = await load.run('open', { url: server.url, users: newUsers(sessions), secret });
  await load.run('join', { group: value.group, room: ROOM });
  await server.quiet();
  return { server, group: value.group, sessions };
}

async function speak({ load, scale }: Run, { server, group, sessions }: Ready): Promise<Sample> {
  const pace = { count: Math.ceil(100 * scale), window: 4 };
  await server.quiet();
  const before = await server.read();
  const { millis } = await load.run('fanOut', { group, room: ROOM, pace });
  const after = await server.read();
  const deliveries = pace.count * sessions;
  return {
    perSecond: deliveries / (millis / 1000),
    cpu: (after.cpuMicros - before.cpuMicros) / deliveries,
  };
}
