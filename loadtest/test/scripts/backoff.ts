import { io } from '../../lib/socket.io.ts';

export const options = { vus: 1, iterations: 1 };

/** The pauses between attempts to reach a server that refuses all of them. */
export default async function main(): Promise<void> {
  const socket = io(__ENV['URL'] ?? '', {
    reconnectionDelay: 50,
    reconnectionDelayMax: 300,
    randomizationFactor: 0,
    reconnectionAttempts: 5,
  });
  const pauses: number[] = [];
  let failed = 0;
  let message = '';
  socket.on('connect_error', (error: Error) => {
    failed = Date.now();
    ({ message } = error);
  });
  socket.io.on('reconnect_attempt', () => pauses.push(Date.now() - failed));
  await new Promise<void>((resolve) => {
    socket.io.on('reconnect_failed', () => resolve());
  });
  console.log(JSON.stringify({ pauses, message, active: socket.active }));
}
