import { secret, startOurs, startStock } from '../candidates.js';
import { interleave, newUsers, type Row, type Run, type Sample } from '../measure.js';
import type { Server } from '../server.js';

const SESSIONS = 50;
const ROOM = 'lobby';

/** CPU of the server for one event of a client, validated, handled and acknowledged. */
export async function acks(run: Run): Promise<Row[]> {
  const stock = await ready(run, startStock());
  const ours = await ready(run, startOurs());
  // Not measured: both programs are compiled by now.
  await emit(run, stock);
  await emit(run, ours);
  const measured = await interleave(run, 'emit to ack', {
    stock: () => emit(run, stock),
    ours: () => emit(run, ours),
  });
  await stock.server.stop();
  await ours.server.stop();
  const row = (measure: string, name: string): Row => ({
    measure,
    unit: 'µs',
    better: 'lower',
    stock: measured.stock[name]!,
    ours: measured.ours[name]!,
    wanted: 2,
  });
  return [
    row('CPU of an emit with ack', 'ack'),
    row('CPU of an emit with reply event and ack', 'reply and ack'),
  ];
}

interface Ready {
  server: Server;
  group: number;
}

async function ready({ load }: Run, starting: Promise<Server>): Promise<Ready> {
  const server = await starting;
  const users = newUsers(SESSIONS);
  const { group } = (await load.run('open', { url: server.url, users, secret })).value;
  await load.run('join', { group, room: ROOM });
  return { server, group };
}

async function emit({ load, scale }: Run, { server, group }: Ready): Promise<Sample> {
  const pace = { count: Math.ceil(40_000 * scale), window: 4 };
  const costOf = async (event: string) => {
    await server.quiet();
    const before = await server.read();
    await load.run('acks', { group, event, pace });
    const after = await server.read();
    return (after.cpuMicros - before.cpuMicros) / pace.count;
  };
  return {
    // Checked, found not to be typing, acknowledged: nobody else hears of it.
    ack: await costOf(JSON.stringify(['typing_stop', { room: ROOM, discussionId: 'd42' }])),
    'reply and ack': await costOf(JSON.stringify(['message', { message: 'm'.repeat(100) }])),
  };
}
