import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import { Server, type ServerOptions, type Socket } from 'socket.io';
import { type ManagerOptions, Manager, type Socket as ClientSocket } from 'socket.io-client';
import {
  type Candidate,
  type CandidateOptions,
  type Kind,
  createCandidate,
  until,
} from './candidates.ts';

/** An ordinary Socket.IO server over one of the adapters, in this process. */
export class Node {
  readonly io: Server;
  readonly candidate: Candidate;
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  private readonly http: HttpServer;
  private readonly transports = new Set<NetSocket>();

  private constructor(io: Server, candidate: Candidate, http: HttpServer) {
    this.io = io;
    this.candidate = candidate;
    this.http = http;
    this.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    http.on('connection', (socket) => {
      this.transports.add(socket);
      socket.once('close', () => this.transports.delete(socket));
    });
  }

  static async start(
    kind: Kind,
    options: CandidateOptions,
    server: Partial<ServerOptions> = {},
  ): Promise<Node> {
    const candidate = await createCandidate(kind, options);
    const http = createServer();
    const io = new Server(http, { ...candidate.serverOptions, ...server });
    io.on('connection', (socket) => void welcome(socket));
    io.of('/other').on('connection', (socket) => void welcome(socket));
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    await candidate.ready(io);
    return new Node(io, candidate, http);
  }

  publish(rooms: string[], ...args: unknown[]): Promise<void> {
    return this.candidate.publish(this.io, rooms, args);
  }

  /** Ends as a process does that is killed: no word to Redis, connections reset. */
  async kill(): Promise<void> {
    this.candidate.sever();
    for (const socket of this.transports) socket.resetAndDestroy();
    await this.close();
  }

  async close(): Promise<void> {
    if (!this.http.listening) return;
    await this.io.close();
    await this.candidate.close();
  }
}

/**
 * Joins the rooms that the client asks for, then tells it: with an event, so that a client that has
 * received nothing else has an offset to come back with.
 */
async function welcome(socket: Socket): Promise<void> {
  socket.on('join', async (rooms: string[], done: () => void) => {
    await socket.join(rooms);
    done();
  });
  socket.on('leave', async (room: string, done: () => void) => {
    await socket.leave(room);
    done();
  });
  if (socket.recovered) return;
  const { rooms = [], data } = socket.handshake.auth as { rooms?: string[]; data?: unknown };
  if (data !== undefined) socket.data = data;
  if (rooms.length > 0) await socket.join(rooms);
  socket.emit('welcome');
}

export interface ClientOptions extends Partial<ManagerOptions> {
  namespace?: string;
  /** Joined before `connect` resolves. */
  rooms?: string[];
  /** `socket.data` at the server. */
  data?: unknown;
}

/** A real client that comes back only when it is told to. */
export class Client {
  readonly socket: ClientSocket;
  /** Arguments of every event but `welcome`, name first, without the offset. */
  readonly got: unknown[][] = [];
  private welcomes = 0;

  private constructor(
    node: Pick<Node, 'url'>,
    { namespace = '/', rooms, data, ...options }: ClientOptions,
  ) {
    const manager = new Manager(node.url, {
      transports: ['websocket'],
      reconnection: false,
      autoConnect: false,
      ...options,
    });
    this.socket = manager.socket(namespace, { auth: { rooms, data } });
    this.socket.on('welcome', () => this.welcomes++);
    this.socket.onAny((...args: unknown[]) => {
      if (args[0] !== 'welcome') this.got.push(this.withoutOffset(args));
    });
  }

  static async connect(node: Pick<Node, 'url'>, options: ClientOptions = {}): Promise<Client> {
    const client = new Client(node, options);
    await client.open();
    return client;
  }

  get id(): string {
    return this.socket.id!;
  }

  get offset(): string | undefined {
    return (this.socket as unknown as { _lastOffset?: string })._lastOffset;
  }

  /** First arguments of its events. */
  get said(): unknown[] {
    return this.got.map(([, first]) => first);
  }

  /** The server's side of it. */
  on(node: Node): Socket {
    return node.io.of((this.socket as unknown as { nsp: string }).nsp).sockets.get(this.id)!;
  }

  async join(...rooms: string[]): Promise<void> {
    await this.socket.emitWithAck('join', rooms);
  }

  async leave(room: string): Promise<void> {
    await this.socket.emitWithAck('leave', room);
  }

  /** Loses the transport, as a broken network does; resolves when that server has noticed. */
  async lose(node?: Node): Promise<void> {
    const { id } = this;
    this.socket.io.engine.close();
    await until(() => this.socket.disconnected);
    if (node) await until(() => !node.io.of('/').sockets.has(id));
  }

  /** Connects with what it knows of its lost session. @returns whether it was recovered */
  async comeBack(node: Node): Promise<boolean> {
    (this.socket.io as unknown as { uri: string }).uri = node.url;
    await this.open();
    return this.socket.recovered;
  }

  close(): void {
    this.socket.disconnect();
  }

  /** Resolves when it is connected, and welcomed unless it was recovered. */
  private async open(): Promise<void> {
    const before = this.welcomes;
    const connected = new Promise<void>((resolve, reject) => {
      this.socket.once('connect', resolve);
      this.socket.once('connect_error', reject);
      this.socket.io.once('error', reject);
      this.socket.io.once('close', (reason) => reject(new Error(reason)));
    });
    this.socket.connect();
    await connected;
    await until(() => this.socket.recovered || this.welcomes > before);
  }

  /** Whoever recovers puts an offset behind every event that is not volatile, as Socket.IO does. */
  private withoutOffset(args: unknown[]): unknown[] {
    const recovers = (this.socket as unknown as { _pid?: string })._pid !== undefined;
    return recovers && args.length > 1 && typeof args.at(-1) === 'string'
      ? args.slice(0, -1)
      : args;
  }
}
