import { jwtVerify } from 'jose';
import type { Socket } from 'socket.io';

export interface User {
  id: string;
  username: string;
  roles: string[];
}

/** A Socket.IO middleware that verifies the HS256 token of the handshake, every time. */
export function authenticate(secret: string) {
  const key = new TextEncoder().encode(secret);
  return (socket: Socket, next: (error?: Error) => void): void => {
    verify(socket.handshake.auth.token, key).then(
      (user) => {
        socket.data.user = user;
        next();
      },
      () => next(new Error('Authentication failed')),
    );
  };
}

export async function verify(token: unknown, key: Uint8Array): Promise<User> {
  if (typeof token !== 'string') throw new Error('no token');
  const { payload } = await jwtVerify(token, key, { algorithms: ['HS256'] });
  if (!payload.sub) throw new Error('no user');
  return {
    id: payload.sub,
    username: typeof payload.username === 'string' ? payload.username : payload.sub,
    roles: Array.isArray(payload.roles) ? payload.roles.map(String) : [],
  };
}
