import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import type { GatewayError } from '@streamgate/protocol/errors';
import type { Principal } from '@streamgate/protocol/principal';
import type { SentEventName, SentPayload } from '@streamgate/protocol/event-maps';
import type { Backplane } from '../src/backplane/backplane.js';
import { EventsOut } from '../src/backplane/events-out.js';
import { roomName } from '../src/backplane/room-key.js';
import type { Session } from '../src/backplane/session.js';
import type { Config } from '../src/config.js';
import { Presence } from '../src/presence/presence.js';
import { Typing } from '../src/presence/typing.js';
import { Rooms } from '../src/rooms/rooms.js';
import { Client } from './client.js';
import type { Person } from './tokens.js';

/** A session over a stock socket: all that `rooms/`, `presence/` and `session/` see of one. */
class StockSession implements Session {
  readonly connectedAt = Date.now();
  readonly recovered = false;
  principal: Principal;
  private readonly socket: Socket;

  constructor(socket: Socket, principal: Principal) {
    this.socket = socket;
    this.principal = principal;
  }

  get id() {
    return this.socket.id;
  }
  get namespace() {
    return this.socket.nsp.name;
  }
  get connected() {
    return this.socket.connected;
  }
  roomNames() {
    return [...this.socket.rooms].map(roomName).filter((name) => name !== undefined);
  }
  isIn(room: string) {
    return this.roomNames().includes(room);
  }
  send<E extends SentEventName>(event: E, payload: SentPayload<E>) {
    this.socket.emit(event, payload);
  }
  sendError(error: GatewayError, event?: string) {
    this.socket.emit('error', { ...error.toBody(), event });
  }
  renew(): Promise<number | undefined> {
    throw new Error('tokens are the business of edge/');
  }
  close() {
    this.socket.disconnect(true);
  }
}

export interface Guest {
  readonly session: Session & { principal: Principal };
  readonly client: Client;
}

/** What is above the backplane and below `edge/`, on a stock server with real clients. */
export class Hub {
  readonly rooms: Rooms;
  readonly presence: Presence;
  readonly typing: Typing;
  private readonly http = createServer();
  private readonly io: Server;
  private readonly clients: Client[] = [];
  private readonly opened = new Map<string, Guest['session']>();

  constructor(
    config: Config,
    readonly backplane: Backplane,
  ) {
    const eventsOut = silent(config);
    this.rooms = new Rooms(config, backplane, eventsOut);
    this.presence = new Presence(config, backplane, eventsOut);
    this.typing = new Typing(backplane);
    this.io = new Server(this.http, backplane.serverOptions);
    for (const namespace of ['/', '/chat'])
      this.io.of(namespace).on('connection', (socket) => {
        const principal = principalOf(socket.handshake.auth as Person);
        this.opened.set(socket.id, new StockSession(socket, principal));
        socket.emit('connected');
      });
  }

  async start(): Promise<this> {
    await this.backplane.start();
    await new Promise<void>((resolve) => this.http.listen(0, '127.0.0.1', resolve));
    return this;
  }

  /** Connects the person, in the rooms of a new session; presence is not told. */
  async connect(
    person: Person,
    held: readonly string[] = [],
    namespace: '/' | '/chat' = '/',
  ): Promise<Guest> {
    const { port } = this.http.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}${namespace}`;
    const client = new Client(url, { auth: person, reconnection: false });
    this.clients.push(client);
    await client.next('connected');
    const session = this.opened.get(client.socket.id!)!;
    await this.backplane.join(session, this.rooms.atConnect(session.principal, held));
    return { session, client };
  }

  /** Connects the person and registers and announces the session. */
  async arrive(person: Person, namespace: '/' | '/chat' = '/'): Promise<Guest> {
    const guest = await this.connect(person, [], namespace);
    const { session } = guest;
    const arrival = await this.presence.arrive(session.namespace, session);
    this.presence.announceArrival(session.namespace, session.principal, arrival);
    return guest;
  }

  async close(): Promise<void> {
    this.typing.close();
    for (const client of this.clients) client.close();
    await this.io.close();
    await this.backplane.close();
  }
}

export function principalOf({ id, username, roles, claims }: Person): Principal {
  return {
    userId: id,
    username: username ?? id,
    roles: roles ?? [],
    claims: claims ?? {},
    expiresAt: undefined,
  };
}

/** An outbound stream that nobody asked for. */
export function silent(config: Config): EventsOut {
  return new EventsOut(config, undefined);
}
