import { setTimeout as wait } from 'node:timers/promises';
import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Server } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { roleRoom, userRoom } from '@streamgate/protocol/rooms';
import type { Backplane } from '../src/backplane/backplane.js';
import { createMemoryBackplane } from '../src/backplane/memory.js';
import { roomKey } from '../src/backplane/room-key.js';
import { readConfig, type Config } from '../src/config.js';
import { TokenVerifier } from '../src/edge/tokens.js';
import { configureHttp, httpControllers } from '../src/ingest/http/http-door.js';
import { CONFIG, EXECUTOR, PRESENCE, VERIFY_TOKEN } from '../src/ingest/http/needs.js';
import { Presence } from '../src/presence/presence.js';
import { memoryExecutor } from './executor.js';
import { SECRET } from './node.js';
import { silent } from './sessions.js';
import type { Person } from './tokens.js';

/** The REST door of one node in this process, with sockets that only join and listen. */
export interface Door {
  url: string;
  backplane: Backplane;
  connect(person: Person): Promise<Socket>;
  close(): Promise<void>;
}

/** @param env on top of a secret */
export async function openDoor(
  env: NodeJS.ProcessEnv = {},
  createBackplane: (config: Config) => Backplane = createMemoryBackplane,
): Promise<Door> {
  const config = readConfig({ STREAMGATE_JWT_SECRET: SECRET, ...env });
  const backplane = createBackplane(config);
  const presence = new Presence(config, backplane, silent(config));
  const tokens = new TokenVerifier(config);
  const app = await NestFactory.create<NestExpressApplication>(
    {
      module: class Root {},
      controllers: httpControllers(config),
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: EXECUTOR, useValue: memoryExecutor(backplane, config) },
        { provide: PRESENCE, useValue: presence },
        { provide: VERIFY_TOKEN, useValue: (token: string) => tokens.verify(token) },
      ],
    },
    { bodyParser: false, logger: false },
  );
  configureHttp(app, config);
  const server = new Server(app.getHttpServer(), backplane.serverOptions);
  await backplane.start();
  server.on('connection', (socket) => {
    const { id, username = id, roles = [] } = socket.handshake.auth as Person;
    const user = { id, username, roles: [...roles] };
    socket.data = { userId: id };
    void socket.join([userRoom(id), ...roles.map(roleRoom)].map(roomKey));
    void presence
      .arrive('/', {
        id: socket.id,
        principal: { userId: id, username, roles: user.roles, claims: {}, expiresAt: undefined },
        connectedAt: Date.now(),
      })
      .then(() => socket.emit('ready'));
  });
  await app.listen(0, '127.0.0.1');
  const url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  const clients: Socket[] = [];
  return {
    url,
    backplane,
    async connect(person) {
      const client = io(url, { auth: { ...person }, transports: ['websocket'], forceNew: true });
      clients.push(client);
      await next(client, 'ready');
      return client;
    },
    async close() {
      for (const client of clients) client.disconnect();
      await server.close();
      await app.close();
      await backplane.close();
    },
  };
}

/** The arguments of the next event of the name, without the offset that a backplane may append. */
export function next(client: Socket, event: string): Promise<unknown> {
  const arrived = new Promise<unknown>((resolve) => client.once(event, resolve));
  const late = wait(5000, undefined, { ref: false }).then(() => {
    throw new Error(`no ${event}`);
  });
  return Promise.race([arrived, late]);
}
