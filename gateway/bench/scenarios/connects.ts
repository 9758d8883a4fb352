import { secret, startOurs, startStock } from '../candidates.js';
import { interleave, newUsers, type Row, type Run, type Sample } from '../measure.js';
import type { Server } from '../server.js';

/**
 * CPU of the server from the TCP connect to the `connected` event: with tokens never seen before, and
 * when the same clients come back, as after the loss of a node.
 */
export async function connects(run: Run): Promise<Row[]> {
  const stock = await startStock();
  const ours = await startOurs();
  // Not measured: both programs are compiled by now.
  await connectTwice(run, stock);
  await connectTwice(run, ours);
  const measured = await interleave(run, 'connects', {
    stock: () => connectTwice(run, stock),
    ours: () => connectTwice(run, ours),
  });
  await stock.stop();
  await ours.stop();
  const row = (measure: string, name: string): Row => ({
    measure,
    unit: 'µs',
    better: 'lower',
    stock: measured.stock[name]!,
    ours: measured.ours[name]!,
    wanted: 1,
  });
  return [
    row('CPU of a connect, token never seen', 'first'),
    row('CPU of a connect, client coming back', 'again'),
  ];
}

async function connectTwice({ load, scale }: Run, server: Server): Promise<Sample> {
  const users = newUsers(Math.ceil(2000 * scale));
  await load.run('sign', { users, secret });
  const connectAll = async () => {
    const before = await server.read();
    const { value } = await load.run('open', { url: server.url, users, secret });
    const after = await server.read();
    await load.run('close', value);
    await server.quiet();
    return (after.cpuMicros - before.cpuMicros) / users.length;
  };
  return { first: await connectAll(), again: await connectAll() };
}
