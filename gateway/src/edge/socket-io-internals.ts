import type { IncomingMessage } from 'node:http';
import type { Socket as NetSocket } from 'node:net';
import type { Namespace, Socket } from 'socket.io';
import type { WebSocket } from 'ws';

/**
 * What the edge reaches inside socket.io 4.8.4 (pinned by an npm override), all in one place: an
 * upgrade of socket.io is a reading of this file against its new sources.
 */

/** Packet types of the Socket.IO protocol, version 5. */
export const PACKET = { event: 2, ack: 3, connectError: 4, binaryEvent: 5 } as const;

/** A packet as the parser gives it and takes it. */
export interface Packet {
  type: number;
  nsp?: string;
  data?: unknown;
  id?: number | undefined;
}

export type Client = Socket['client'];

/** An Engine.IO connection, with the fields that its types keep private. */
export type Connection = Socket['conn'] & {
  request: IncomingMessage & { _query?: Record<string, string> };
  transport: Socket['conn']['transport'] & {
    socket?: WebSocket & { _socket?: NetSocket };
    /** Of a polling transport that was closed between two polls: ends it without the next one. */
    shouldClose?: (() => void) | null;
  };
};

export function connectionOf(client: Client): Connection {
  return client.conn;
}

/** The Engine.IO id; it is as good as a password while the connection lives. */
export function connectionId(connection: Connection): string {
  return (connection as unknown as { id: string }).id;
}

/** Resolves when what was written has left this process: true; or when the connection has ended. */
export function whenSent(connection: Connection): Promise<boolean> {
  return new Promise((resolve) => {
    const { transport } = connection;
    const done = (sent: boolean) => {
      transport.off('drain', drained);
      connection.off('close', closed).off('upgrade', upgraded);
      resolve(sent);
    };
    const waits = () =>
      (connection as unknown as { writeBuffer: unknown[] }).writeBuffer.length > 0;
    // Said by a transport when the system has taken all that it was given.
    const drained = () => waits() || done(true);
    const closed = () => done(false);
    const upgraded = () => done(true);
    if (connection.readyState === 'closed') resolve(false);
    else if (transport.writable && !waits()) resolve(true);
    else {
      transport.on('drain', drained);
      connection.on('close', closed).on('upgrade', upgraded);
    }
  });
}

/** Hands what waits to the transport, if that can take it. */
export function flush(connection: Connection): void {
  (connection as unknown as { flush(): void }).flush();
}

/** The session that a new socket continues; `rooms` are keys of the adapter. */
export interface PreviousSession {
  sid: string;
  pid: string | undefined;
  rooms: string[];
  data: unknown;
  missedPackets: readonly unknown[][];
}

/** The constructor's last argument under its own name, which socket.io does not export. */
export function asSocketIoSession(
  previous: PreviousSession,
): NonNullable<ConstructorParameters<typeof Socket>[3]> {
  return previous as never;
}

/** The constructor takes every socket that is given an id for a recovered one. */
export function markRecovered(socket: Socket, recovered: boolean): void {
  (socket as { recovered: boolean }).recovered = recovered;
}

const NO_HANDSHAKE = Object.freeze({});

/** A socket's handshake repeats the request and holds on to the token: the edge reads neither again. */
export function forgetHandshake(socket: Socket): void {
  (socket as { handshake: object }).handshake = NO_HANDSHAKE;
}

/** How an adapter wants packets to be written. */
export interface WriteOptions {
  readonly volatile?: boolean;
}

/** What a client does with encoded packets, whose types socket.io keeps private. */
export type WritePackets = (packets: readonly (string | Buffer)[], options: WriteOptions) => void;

interface ClientInternals {
  writeToEngine: WritePackets;
  _packet(packet: unknown, options: unknown): void;
  encoder: { encode(packet: Packet): (string | Buffer)[] };
}

/** A packet for the socket, as adapters give it to its client. */
export function encoded({ client, nsp }: Socket, packet: Packet): (string | Buffer)[] {
  const { encoder } = client as unknown as ClientInternals;
  return encoder.encode({ ...packet, nsp: nsp.name });
}

/** Writes to the client's connection what is encoded already. */
export function writeEncoded(client: Client, ...write: Parameters<WritePackets>): void {
  (client as unknown as ClientInternals).writeToEngine(...write);
}

/** The client as it is, but what adapters write goes to `write`. */
export function withWrites(client: Client, write: WritePackets): Client {
  const internals = client as unknown as ClientInternals;
  return Object.assign(Object.create(client) as Client, {
    writeToEngine: write,
    _packet: (...packet: Parameters<ClientInternals['_packet']>) => internals._packet(...packet),
  });
}

/** Through which adapters write to a socket. */
export function replaceClient(socket: Socket, client: Client): void {
  (socket as { client: Client }).client = client;
}

/** As `writePacket`, an event whose ack is waited for. */
export function askClient(socket: Socket, data: unknown[], acked: () => void): void {
  const { acks, nsp } = socket as unknown as {
    acks: Map<number, () => void>;
    nsp: { _ids: number };
  };
  const id = nsp._ids++;
  acks.set(id, acked);
  writePacket(socket, { type: PACKET.event, data, id });
}

/** Writes a packet straight to the socket's connection, past adapter and listeners. */
export function writePacket(socket: Socket, packet: Packet): void {
  (socket as unknown as { packet(packet: Packet, options: object): void }).packet(packet, {});
}

/**
 * Replaces how a namespace makes sockets. Stock asks the adapter for the old session here, before
 * any middleware has run; the edge authenticates first.
 */
export function replaceCreateSocket(
  namespace: Namespace,
  create: (client: Client, auth: Record<string, unknown>) => Promise<Socket>,
): void {
  (namespace as unknown as { _createSocket: typeof create })._createSocket = create;
}

/** Runs the opening of each socket, from the CONNECT answer to the end of `connection` listeners, inside `around`. */
export function aroundOpening(
  namespace: Namespace,
  around: (socket: Socket, open: () => void) => void,
): void {
  type DoConnect = (socket: Socket, opened: unknown) => void;
  const internals = namespace as unknown as { _doConnect: DoConnect };
  const stock = internals._doConnect.bind(namespace);
  internals._doConnect = (socket, opened) => around(socket, () => stock(socket, opened));
}
