import { io } from '../../lib/socket.io.ts';

export const options = { vus: 1, iterations: 1 };

/** A server that goes silent without closing: how long until the client gives it up and comes back. */
export default async function main(): Promise<void> {
  const socket = io(__ENV['URL'] ?? '', { reconnectionDelay: 10, randomizationFactor: 0 });
  let pings = 0;
  socket.io.on('ping', () => pings++);
  await new Promise<void>((resolve) => {
    socket.io.on('ping', () => pings === 3 && resolve());
  });
  const last = Date.now();
  socket.emit('be silent');
  const reason = await new Promise<string>((resolve) => {
    socket.once('disconnect', resolve);
  });
  const after = Date.now() - last;
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve);
  });
  socket.disconnect();
  console.log(JSON.stringify({ reason, after }));
}
