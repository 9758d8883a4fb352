import { io } from '../../lib/socket.io.ts';

export const options = { vus: 1, iterations: 1 };

/** A mistake in a listener. */
export default function main(): void {
  io(__ENV['URL'] ?? '').on('connect', () => {
    throw new Error('a mistake of the author');
  });
}
