import type { INestApplication } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { Server, ServerOptions } from 'socket.io';
import type { Backplane } from '../backplane/backplane.js';
import type { Config } from '../config.js';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import { clientAddresses } from './address.js';
import { installAdmission } from './admission.js';
import { Drain } from './drain.js';
import { FloodGuard } from './flood-guard.js';
import { collectHandlers } from './handlers.js';
import { corsOptions } from './origin.js';
import { setServerTimeouts } from './server-timeouts.js';
import { SessionSocket } from './session-socket.js';
import { Sessions, type SessionsParts } from './sessions.js';
import { slimRequests } from './slim-request.js';
import { watchSlowConsumers } from './slow-consumer.js';
import { SocketAdapter } from './socket-adapter.js';
import type { Connection } from './socket-io-internals.js';
import { Traffic } from './traffic.js';
import { corkFlushes } from './write-together.js';

/** What the edge needs of the node; it makes the rest of `SessionsParts` itself. */
export type EdgeParts = Omit<SessionsParts, 'handlers' | 'flood'>;

/** Where sockets enter: the Socket.IO server of this node and all that stands around it. */
export interface Edge {
  readonly drain: Drain;
  /** After the sessions have ended; resolves when the registry knows. */
  close(): Promise<void>;
}

/** Puts the edge in front of a Nest application that does not listen yet. */
export function createEdge(app: INestApplication, parts: EdgeParts): Edge {
  const { config, backplane } = parts;
  let server: Server | undefined;
  const drain = new Drain(
    config,
    {
      all: () => connectionsOf(server),
      count: () => server?.engine.clientsCount ?? 0,
    },
    config.drainNotice ? (withinMs) => noticeDrain(server, withinMs) : undefined,
  );
  const flood = new FloodGuard(config);
  const handlers = collectHandlers(
    app.get(DiscoveryService),
    new MetadataScanner(),
    parts.chat ? ['/', '/chat'] : ['/'],
  );
  const sessions = new Sessions({ ...parts, handlers, flood });
  const addressOf = clientAddresses(config.trustedProxies);

  function created(io: Server): void {
    server = io;
    const { engine } = io;
    installAdmission(engine, { config, addressOf, draining: () => drain.draining });
    watchSlowConsumers(engine, {
      maxBufferedBytes: config.maxBufferedBytes,
      onSlow: (_, unsentBytes) => log.warn({ unsentBytes }, 'slow consumer closed'),
    });
    engine.on('connection', (connection: Connection) => flood.watch(connection));
    slimRequests(engine);
    corkFlushes(engine);
    sessions.install(io.of('/'), io.of('/chat'));
  }

  setServerTimeouts(app.getHttpServer());
  app.useWebSocketAdapter(
    new SocketAdapter(app, { options: serverOptions(config, backplane), created }),
  );
  const traffic = new Traffic(app.getHttpServer());
  metrics.sessions.read(() =>
    sessions.transports.count({ '/': sizeOf(server, '/'), '/chat': sizeOf(server, '/chat') }),
  );
  metrics.sessionsMax.read(() => config.maxSessions);
  metrics.handshakes.read(() => sessions.opening);
  metrics.traffic.read(() => Object.entries(traffic.read()));
  return { drain, close: () => sessions.close() };
}

function serverOptions(config: Config, backplane: Backplane): Partial<ServerOptions> {
  return {
    ...backplane.serverOptions,
    transports: ['polling', 'websocket'],
    serveClient: false,
    allowEIO3: config.allowEio3,
    cors: corsOptions(config.corsOrigins),
    pingInterval: config.pingIntervalMs,
    pingTimeout: config.pingTimeoutMs,
    connectTimeout: config.connectTimeoutMs,
    maxHttpBufferSize: config.maxPayloadBytes,
    perMessageDeflate: config.perMessageDeflate,
    httpCompression: config.perMessageDeflate,
  };
}

/** Tells everybody on this node that they will be moved. */
function noticeDrain(server: Server | undefined, withinMs: number): void {
  for (const namespace of ['/', '/chat'])
    for (const socket of server?.of(namespace).sockets.values() ?? [])
      if (socket instanceof SessionSocket) socket.send('draining', { withinMs });
}

function sizeOf(server: Server | undefined, namespace: string): number {
  return server?.of(namespace).sockets.size ?? 0;
}

/** The open Engine.IO connections, whose map socket.io keeps to itself. */
function connectionsOf(server: Server | undefined): Iterable<Connection> {
  const { clients } = (server?.engine ?? { clients: {} }) as unknown as {
    clients: Record<string, Connection>;
  };
  return Object.values(clients);
}
