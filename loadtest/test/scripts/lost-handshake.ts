import { io } from '../../lib/socket.io.ts';

export const options = { vus: 1, iterations: 1 };

/** A handshake that does not come: how long until the connection is there all the same, and what was told. */
export default async function main(): Promise<void> {
  const began = Date.now();
  const errors: string[] = [];
  const socket = io(__ENV['URL'] ?? '', { timeout: Number(__ENV['TIMEOUT'] ?? 20_000) });
  socket.on('connect_error', (error: Error) => errors.push(error.message));
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve);
  });
  console.log(JSON.stringify({ after: Date.now() - began, errors, id: socket.id }));
  socket.disconnect();
}
