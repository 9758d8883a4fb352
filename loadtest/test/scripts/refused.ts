import { io, type ConnectError } from '../../lib/socket.io.ts';
import { token } from '../../lib/token.ts';

export const options = { vus: 1, iterations: 1 };

/** A token that somebody else has signed. */
export default async function main(): Promise<void> {
  const socket = io(__ENV['URL'] ?? '', {
    auth: { token: token({ sub: 'somebody' }, 'a-secret-that-the-gateway-does-not-know') },
  });
  const { message, data } = await new Promise<ConnectError>((resolve) => {
    socket.once('connect_error', resolve);
  });
  console.log(JSON.stringify({ message, data, active: socket.active }));
}
