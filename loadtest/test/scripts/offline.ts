import { io } from '../../lib/socket.io.ts';

export const options = { vus: 1, iterations: 1 };

/** A network that goes away for a while, told to the server or not. */
export default async function main(): Promise<void> {
  const { URL = '', SILENT = '' } = __ENV;
  const silent = SILENT === 'true';
  const socket = io(URL, { reconnectionDelay: 100, randomizationFactor: 0 });
  const numbers: number[] = [];
  let errors = 0;
  socket.on('number', (number: number) => numbers.push(number));
  socket.on('connect_error', () => errors++);
  await new Promise<void>((resolve) => {
    socket.once('number', () => resolve());
  });
  const left = Date.now();
  let reason: string | undefined;
  socket.once('disconnect', (why: string) => (reason = why));
  socket.io.offline(1000, { silent });
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve);
  });
  const away = Date.now() - left;
  await socket.emitWithAck('stop');
  console.log(JSON.stringify({ reason, errors, away, recovered: socket.recovered, numbers }));
  socket.disconnect();
}
