import type { Connection } from './socket-io-internals.js';

/** How long a connection may take to send what waits and to close, in ms. */
const FORCE_AFTER_MS = 2_000;

/**
 * Closes a connection so that the stock client comes back by itself: what waits is sent first, and
 * a transport that is stuck is ended by force after two seconds.
 */
export function closeConnection(connection: Connection): void {
  connection.close();
  // Over WebSocket it counts as closed while `ws` still holds unsent bytes and waits for an answer.
  if (connection.readyState === 'closed' && !connection.transport.socket) return;
  setTimeout(terminateConnection, FORCE_AFTER_MS, connection).unref();
}

/**
 * Ends a connection at once and gives its memory back. Measured: `close()` alone keeps what is
 * unsent for 30 s, until `ws` gives up waiting for the other side; and a polling client that is
 * gone is waited for as long, which `close(true)` after `close()` does not shorten.
 */
export function terminateConnection(connection: Connection): void {
  connection.close(true);
  connection.transport.socket?.terminate();
  connection.transport.shouldClose?.();
}
