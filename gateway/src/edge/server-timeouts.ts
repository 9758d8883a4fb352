import type { Server } from 'node:http';

/**
 * Bounds how long a client may take over a request, so that slow senders cannot hold sockets open.
 * Upgraded sockets and waiting polls are not concerned: they have the Engine.IO heartbeat.
 */
export function setServerTimeouts(server: Server): void {
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  // Longer than the 60 s of common balancers, which else reuse a socket that is just closing.
  server.keepAliveTimeout = 75_000;
}
