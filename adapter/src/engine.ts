import type { Socket as NetSocket } from 'node:net';
import type { Namespace, Socket } from 'socket.io';
import type { Adapter, BroadcastFlags } from 'socket.io-adapter';
import type { Packet } from 'socket.io-parser';

/**
 * What this adapter reaches inside socket.io 4.8, engine.io 6.6 and ws 8, all in one place: an upgrade
 * is a reading of this file against the new sources.
 */

/** Options of a packet on its way to Engine.IO. */
export interface WriteOptions {
  readonly preEncoded: true;
  volatile?: boolean;
  compress?: boolean;
  wsPreEncodedFrame?: readonly Buffer[];
}

interface WebSocketTransport {
  readonly name: string;
  writable: boolean;
  perMessageDeflate: unknown;
  socket?: { readonly readyState: number; _socket?: NetSocket; _sender?: { sendFrame?: unknown } };
}

interface Connection {
  readonly readyState: string;
  readonly transport: WebSocketTransport;
  readonly writeBuffer: readonly unknown[];
  close(discard?: boolean): void;
}

export interface Client {
  readonly conn: Connection;
  writeToEngine(packets: readonly unknown[], options: WriteOptions): void;
}

const OPEN = 1;

export function clientOf(socket: Socket): Client {
  return socket.client as unknown as Client;
}

/**
 * The socket of the system below a session, when bytes may go straight to it: a plain WebSocket on
 * which nothing waits. Otherwise Engine.IO is to be asked, which keeps the order and the tallies.
 */
export function rawSocketOf(client: Client): NetSocket | undefined {
  // Whoever has put a function of its own in the place of the client's wants to see what is written.
  if (Object.hasOwn(client, 'writeToEngine')) return undefined;
  const { conn } = client;
  const { transport } = conn;
  if (!transport.writable || conn.writeBuffer.length > 0 || conn.readyState !== 'open')
    return undefined;
  if (transport.perMessageDeflate || transport.name !== 'websocket') return undefined;
  const raw = transport.socket?._socket;
  if (!raw || transport.socket?.readyState !== OPEN) return undefined;
  return raw.writableLength > 0 && raw.writableCorked === 0 ? undefined : raw;
}

/** Whether Engine.IO writes frames of several messages as they are: then it does so also later. */
export function takesFrames(client: Client): boolean {
  if (Object.hasOwn(client, 'writeToEngine')) return false;
  const { name, perMessageDeflate, socket } = client.conn.transport;
  return (
    name === 'websocket' && !perMessageDeflate && typeof socket?._sender?.sendFrame === 'function'
  );
}

/** All that a session is written in this turn leaves with one call of the system, not one for each packet. */
export function writeTogether(socket: Socket): void {
  const raw = clientOf(socket).conn.transport.socket?._socket;
  if (!raw) return;
  raw.cork();
  setImmediate(() => raw.uncork());
}

/** Whether a volatile packet may be put to it. */
export function isReady({ conn }: Client): boolean {
  const { transport } = conn;
  const raw = transport.socket?._socket;
  return transport.writable && !(raw && raw.writableLength > 0 && raw.writableCorked === 0);
}

/** A session that is open, or is being given back what it missed while middleware still runs. */
export function findSocket(namespace: Namespace, id: string): Socket | undefined {
  const socket = namespace.sockets.get(id);
  if (socket) return socket;
  const early = earlySocket(namespace, id);
  return early?.recovered ? early : undefined;
}

/** Also one whose middleware still runs. */
export function anySocket(namespace: Namespace, id: string): Socket | undefined {
  return namespace.sockets.get(id) ?? earlySocket(namespace, id);
}

/** Every socket of a namespace, also those whose middleware still runs. */
export function allSockets(namespace: Namespace): Socket[] {
  const { _preConnectSockets: early } = namespace as unknown as {
    _preConnectSockets?: Map<string, Socket>;
  };
  return [...namespace.sockets.values(), ...(early?.values() ?? [])];
}

function earlySocket(namespace: Namespace, id: string): Socket | undefined {
  return (
    namespace as unknown as { _preConnectSockets?: Map<string, Socket> }
  )._preConnectSockets?.get(id);
}

/** The private session id; undefined where the server does not recover. */
export function privateId(socket: Socket): string | undefined {
  return (socket as unknown as { pid?: string }).pid;
}

export function hasOutgoingListeners(socket: Socket): boolean {
  const { _anyOutgoingListeners: listeners } = socket as unknown as {
    _anyOutgoingListeners?: readonly unknown[];
  };
  return listeners !== undefined && listeners.length > 0;
}

export function tellOutgoingListeners(socket: Socket, packet: Packet): void {
  (socket as unknown as { notifyOutgoingListeners(packet: Packet): void }).notifyOutgoingListeners(
    packet,
  );
}

export function encoderOf(adapter: Adapter): { encode(packet: Packet): unknown[] } {
  return (adapter as unknown as { encoder: { encode(packet: Packet): unknown[] } }).encoder;
}

/** Ends a socket whose session is elsewhere or unknown: its client is expected to come back. */
export function closeTransport(socket: Socket): void {
  const { conn } = clientOf(socket);
  (socket as unknown as { _onclose(reason: string): void })._onclose('transport close');
  conn.close(true);
}

/** Whether a session that is given back is connected in the same turn. */
export function skipsMiddlewares(namespace: Namespace): boolean {
  const { connectionStateRecovery } = (
    namespace.server as unknown as {
      opts: { connectionStateRecovery?: { skipMiddlewares?: boolean } };
    }
  ).opts;
  return connectionStateRecovery?.skipMiddlewares === true;
}

/** Milliseconds for which the server lets sessions be continued; 0: it does not. */
export function recoveryMs(namespace: Namespace): number {
  const { connectionStateRecovery } = (
    namespace.server as unknown as {
      opts: { connectionStateRecovery?: { maxDisconnectionDuration: number } };
    }
  ).opts;
  return connectionStateRecovery?.maxDisconnectionDuration ?? 0;
}

/**
 * Milliseconds after which a connection has either answered a ping, and so received all that was sent
 * before it, or is given up.
 */
export function heartbeatMs(namespace: Namespace): number {
  const { engine, opts } = namespace.server as unknown as {
    engine?: { opts?: Heartbeat };
    opts: Heartbeat;
  };
  const { pingInterval = 25_000, pingTimeout = 20_000 } = engine?.opts ?? opts;
  return pingInterval + pingTimeout;
}

interface Heartbeat {
  pingInterval?: number;
  pingTimeout?: number;
}

/** Flags that a packet is written with. */
export type Flags = Pick<BroadcastFlags, 'volatile' | 'compress'>;
