/**
 * A Socket.IO client for k6: Engine.IO 4 and Socket.IO 5 with socket.io-client's interface.
 *
 *     import { io } from './lib/socket.io.ts';
 */
import { Manager, type Options } from './manager.ts';
import type { Socket } from './socket.ts';

export { Manager, type Options } from './manager.ts';
export type { ConnectError, Socket, SocketOptions } from './socket.ts';

/**
 * Connects to a server; the path of `url` is the namespace. Each call is a connection of its own,
 * as of a person of their own; several namespaces share one through a Manager.
 */
export function io(url: string, options: Options = {}): Socket {
  const path = /^[a-z]+:\/\/[^/?#]+([^?#]*)/.exec(url)?.[1];
  return new Manager(url, options).socket(path === undefined || path === '' ? '/' : path);
}
