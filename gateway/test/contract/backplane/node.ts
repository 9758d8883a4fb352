import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { Server, Socket } from 'socket.io';
import { type ManagerOptions, type Socket as ClientSocket, Manager } from 'socket.io-client';
import { vi } from 'vitest';
import { userRoom } from '@streamgate/protocol/rooms';
import type { User } from '@streamgate/protocol/principal';
import type { Backplane, Publication } from '../../../src/backplane/backplane.js';
import { createMailboxBackplane } from '../../../src/backplane/mailbox.js';
import { createMemoryBackplane } from '../../../src/backplane/memory.js';
import { createPubsubBackplane } from '../../../src/backplane/pubsub.js';
import { type ConnectionOptions, redisOptions } from '../../../src/backplane/redis-options.js';
import type { RegistryListener } from '../../../src/backplane/registry.js';
import { roomKey } from '../../../src/backplane/room-key.js';
import type { Session } from '../../../src/backplane/session.js';
import { createStreamsBackplane } from '../../../src/backplane/streams.js';
import {
  PACKET,
  type WritePackets,
  replaceClient,
  replaceCreateSocket,
  withWrites,
  writeEncoded,
  writePacket,
} from '../../../src/edge/socket-io-internals.js';

export type Kind = Backplane['kind'];

export interface NodeOptions {
  kind: Kind;
  url?: string | undefined;
  prefix?: string;
  timeoutMs?: number;
  recoverySeconds?: number;
  offlineSeconds?: number;
  /** Beside what the URL says, such as the certificate of a test's own authority. */
  redis?: ConnectionOptions;
}

/** A backplane as a node has it: behind a Socket.IO server, in front of real clients. */
export interface TestNode {
  readonly backplane: Backplane;
  readonly url: string;
  /** What the registry told this node: `+user` and `-user` with the number of users online. */
  readonly news: string[];
  /** Connects a client of that user, which is in its user's room and in these. */
  client(user: string, rooms?: string[], options?: Partial<ManagerOptions>): Promise<TestClient>;
  /** Rooms that a session may keep when it comes back. */
  keeps: (rooms: readonly string[]) => readonly string[];
  close(): Promise<void>;
}

export interface TestClient {
  readonly socket: ClientSocket;
  /** As `edge/` would have it, as far as a backplane asks. */
  readonly session: Session;
  /** On the node's side, calls this before each write to the session. */
  onWrite(listener: () => void): void;
  /** Arguments of every event that came, name first. */
  readonly got: unknown[][];
  /** Loses the transport, as a broken network does; resolves when the server has noticed. */
  lose(): Promise<void>;
  /** Connects again with what the stock client knows of the lost session. */
  comeBack(node?: TestNode): Promise<void>;
}

const CREATE = {
  mailbox: createMailboxBackplane,
  streams: createStreamsBackplane,
  pubsub: createPubsubBackplane,
};

export function createBackplane(options: NodeOptions): Backplane {
  const config = {
    redisPrefix: options.prefix ?? 'streamgate',
    redisTimeoutMs: options.timeoutMs ?? 500,
    recoverySeconds: options.recoverySeconds ?? 60,
    offlineSeconds: options.offlineSeconds ?? 1,
    maxSessions: 1000,
  };
  if (options.kind === 'memory') return createMemoryBackplane(config);
  return CREATE[options.kind](
    config,
    (purpose) => new Redis({ ...redisOptions(options.url!, purpose), ...options.redis }),
  );
}

export async function startNode(options: NodeOptions): Promise<TestNode> {
  const backplane = createBackplane(options);
  const news: string[] = [];
  backplane.registry.listen({
    arrived: (_, user, users) => news.push(`+${user.id} ${users}`),
    departed: (_, user, users) => news.push(`-${user.id} ${users}`),
  } satisfies Partial<RegistryListener>);
  const http = createServer();
  const server = new Server(http, { ...backplane.serverOptions, transports: ['websocket'] });
  const clients: ClientSocket[] = [];
  for (const name of ['/', '/chat']) {
    const namespace = server.of(name);
    // As edge/connect.ts does it: who it is first, and then what is left of an earlier session.
    replaceCreateSocket(namespace, async (client, auth) => {
      const userId = String(auth.user);
      const lost = typeof auth.pid === 'string' ? await backplane.claim(name, auth.pid) : undefined;
      const rooms = node.keeps([...new Set([userRoom(userId), ...(lost?.rooms ?? [])])]);
      const missed =
        lost?.userId === userId
          ? await backplane.missed(name, lost, String(auth.offset), rooms)
          : undefined;
      if (!lost || !missed) {
        const socket = new Socket(namespace, client, auth);
        socket.data = { userId };
        void socket.join([userRoom(userId), ...(auth.rooms as string[])].map(roomKey));
        return socket;
      }
      return new Socket(namespace, client, auth, {
        sid: lost.id,
        pid: auth.pid as string,
        rooms: rooms.map(roomKey),
        data: { userId },
        missedPackets: missed,
      });
    });
    namespace.use((socket, next) => {
      const settled = socket.recovered ? undefined : backplane.settled();
      if (settled) void settled.then(() => next());
      else next();
    });
    namespace.on('connection', (socket) => {
      const offset = backplane.offset(name);
      if (offset !== undefined)
        writePacket(socket, { type: PACKET.event, data: ['connected', offset] });
    });
  }
  await backplane.start();
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const node: TestNode = {
    backplane,
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    news,
    keeps: (rooms) => rooms,
    async client(user, rooms = [], managerOptions = {}) {
      const got: unknown[][] = [];
      const connect = async (url: string, auth: Record<string, unknown>) => {
        const manager = new Manager(url, {
          transports: ['websocket'],
          reconnection: false,
          ...managerOptions,
        });
        const socket = manager.socket('/', { auth: { ...auth, user, rooms } });
        Object.assign(socket, { _pid: auth.pid, _lastOffset: auth.offset });
        socket.onAny((...args: unknown[]) => {
          if (args[0] !== 'connected') got.push(args);
        });
        clients.push(socket);
        const connected = new Promise<void>((resolve, reject) => {
          socket.once('connect', resolve);
          socket.once('connect_error', reject);
        });
        socket.connect();
        await connected;
        if (backplane.offset('/') !== undefined)
          await vi.waitUntil(() => lastOffset(socket) !== undefined);
        return socket;
      };
      const client = {
        socket: await connect(node.url, {}),
        get session() {
          const { id } = client.socket;
          return { id, namespace: '/' } as Session;
        },
        got,
        onWrite(listener: () => void) {
          const sockets = [...servers].map((each) => each.of('/').sockets.get(client.socket.id!));
          const socket = sockets.find((each) => each !== undefined)!;
          const { client: connection } = socket;
          const write = (...args: Parameters<WritePackets>) => {
            listener();
            writeEncoded(connection, ...args);
          };
          replaceClient(socket, withWrites(connection, write));
        },
        async lose() {
          const { id } = client.socket;
          const namespace = [server, ...servers].map((each) => each.of('/'));
          client.socket.io.engine.close();
          await vi.waitUntil(() => namespace.every(({ sockets }) => !sockets.has(id!)));
        },
        async comeBack(other = node) {
          const { _pid: pid } = client.socket as unknown as { _pid: string };
          client.socket = await connect(other.url, { pid, offset: lastOffset(client.socket) });
        },
      };
      return client;
    },
    async close() {
      for (const client of clients) client.disconnect();
      servers.delete(server);
      await server.close();
      await backplane.close();
    },
  };
  servers.add(server);
  return node;
}

const servers = new Set<Server>();

export function lastOffset(socket: ClientSocket): string | undefined {
  return (socket as unknown as { _lastOffset?: string })._lastOffset;
}

export function person(id: string, roles: string[] = []): User {
  return { id, username: id, roles };
}

/** An event to a room of `/`, unless told otherwise. */
export function event(to: string[] | '*', args: unknown[] = [], more: Partial<Publication> = {}) {
  return { namespace: '/', to, event: 'said', args, ...more } satisfies Publication;
}
