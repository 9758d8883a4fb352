import { type Namespace, Socket } from 'socket.io';
import { type ErrorCode, GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import { type Principal, userOf } from '@streamgate/protocol/principal';
import { conversationOf } from '@streamgate/protocol/rooms';
import type { Backplane, LostSession, SessionData } from '../backplane/backplane.js';
import type { Arrival } from '../backplane/registry.js';
import { roomKey } from '../backplane/room-key.js';
import type { Config } from '../config.js';
import type { Inbox } from '../inbox/inbox.js';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import type { Presence } from '../presence/presence.js';
import type { Rooms } from '../rooms/rooms.js';
import { authenticate } from './authenticate.js';
import { rememberTrace } from './client-spans.js';
import { closeConnection } from './close-connection.js';
import { Entrants } from './entrants.js';
import { Missed } from './missed.js';
import { newId, newSessionId } from './session-ids.js';
import { type SessionHooks, SessionSocket } from './session-socket.js';
import {
  type Client,
  type PreviousSession,
  PACKET,
  aroundOpening,
  connectionOf,
  replaceCreateSocket,
  writePacket,
} from './socket-io-internals.js';
import type { TokenVerifier } from './tokens.js';
import { writeTogether } from './write-together.js';

export interface ConnectParts {
  readonly config: Config;
  readonly backplane: Backplane;
  readonly inbox: Pick<Inbox, 'isEmpty'>;
  readonly tokens: Pick<TokenVerifier, 'verify'>;
  readonly presence: Presence;
  readonly rooms: Rooms;
  readonly hooks: SessionHooks;
  /** The session is open and `connected` was sent. */
  readonly opened: (session: SessionSocket) => void;
}

/** A session about to be opened: all that was decided before anything of it exists. */
interface Opening {
  readonly id: string;
  readonly pid: string | undefined;
  readonly rooms: readonly string[];
  readonly missed: readonly unknown[][];
  readonly recovered: boolean;
}

/**
 * From a CONNECT packet to a session: authenticate, register, and only then give what is left of an
 * earlier session. Between the last answer from Redis and the session being in its rooms nothing
 * else runs, so no event falls between what was missed and what comes live.
 */
export class Connect {
  private readonly parts: ConnectParts;
  private readonly refusals = new WeakMap<Socket, GatewayError>();
  private readonly arrivals = new WeakMap<Socket, Arrival>();
  private readonly missed = new WeakMap<Socket, Missed>();
  readonly entrants = new Entrants();

  constructor(parts: ConnectParts) {
    this.parts = parts;
  }

  /** Makes a namespace open sessions. With `refuse`, it refuses every one with that code. */
  install(namespace: Namespace, refuse?: ErrorCode): void {
    replaceCreateSocket(namespace, (client, auth) => this.create(namespace, client, auth, refuse));
    aroundOpening(namespace, (socket, open) => writeTogether(socket.client, open));
    namespace.use((socket, next) => {
      const refusal = this.refusals.get(socket);
      if (refusal && !this.parts.config.authErrorEvent) {
        next(connectError(refusal, connectionOf(socket.client).protocol));
        return this.decided(socket);
      }
      // A continued session is in its rooms for the backplane already, and must not miss a tick.
      const settled = refusal || socket.recovered ? undefined : this.parts.backplane.settled();
      if (settled) void settled.then(() => this.proceed(socket as SessionSocket, next));
      else {
        next();
        this.decided(socket);
      }
    });
    namespace.on('connection', (socket) => {
      const refusal = this.refusals.get(socket);
      if (refusal) sendAuthError(socket, refusal);
      else this.open(socket as SessionSocket);
    });
  }

  private proceed(session: SessionSocket, next: () => void): void {
    // Socket.IO drops a socket whose connection is gone by now, and says so to nobody.
    if (connectionOf(session.client).readyState !== 'open' && !session.dormant)
      this.parts.presence
        .depart(session, false)
        .catch((err: unknown) => log.error({ err, session: session.id }, 'cannot unregister'));
    next();
    this.decided(session);
  }

  /** The client may ask for this namespace again: Socket.IO knows what became of it, after one tick. */
  private decided({ nsp, client }: Socket): void {
    process.nextTick(() => this.entrants.left(nsp.name, client));
  }

  private async create(
    namespace: Namespace,
    client: Client,
    auth: Record<string, unknown>,
    refuse: ErrorCode | undefined,
  ): Promise<Socket> {
    const connection = connectionOf(client);
    try {
      if (!this.entrants.enter(namespace.name, client)) connection.close();
      if (refuse !== undefined) throw new GatewayError(refuse);
      const { headers, _query: query = {} } = connection.request;
      const principal = await authenticate(
        this.parts.tokens,
        namespace.name,
        { auth, headers, query },
        this.parts.config.insecureQueryUser,
      );
      this.entrants.named(namespace.name, client, principal.userId);
      rememberTrace(client, auth);
      return await this.admit(namespace, client, auth, principal);
    } catch (thrown) {
      return this.refuse(namespace, client, auth, toGatewayError(thrown));
    }
  }

  private refuse(
    namespace: Namespace,
    client: Client,
    auth: Record<string, unknown>,
    error: GatewayError,
  ): Socket {
    const connection = connectionOf(client);
    const socket = new Socket(namespace, client, auth);
    this.refusals.set(socket, error);
    if (connection.readyState !== 'open') metrics.connects.add('refused', 'aborted');
    else {
      metrics.connects.add('refused', error.code);
      if (error.code === 'internal') log.error({ err: error.cause }, 'a connect failed');
      else
        log.info(
          { code: error.code, why: whyOf(error), namespace: namespace.name },
          'connect refused',
        );
      // What may pass must not be a CONNECT_ERROR: the stock client would never come back.
      if (error.retryable) closeConnection(connection);
    }
    return socket;
  }

  private async admit(
    namespace: Namespace,
    client: Client,
    auth: Record<string, unknown>,
    principal: Principal,
  ): Promise<SessionSocket> {
    const { presence, hooks } = this.parts;
    const connection = connectionOf(client);
    const lost = await this.claim(namespace.name, principal, auth);
    const id = lost?.id ?? newSessionId(namespace.name, connection);
    const dormant = connection.protocol === 3 && namespace.name === '/';
    const arrival = dormant
      ? undefined
      : await presence.arrive(namespace.name, { id, principal, connectedAt: Date.now() });
    const opening = await this.prepare(namespace.name, principal, id, lost, auth, arrival);
    if (connection.readyState !== 'open') {
      await presence.depart({ id, namespace: namespace.name, principal }, false);
      throw new GatewayError('internal', 'the connection closed meanwhile');
    }
    const { recovered } = opening;
    const previous: PreviousSession = {
      sid: opening.id,
      pid: opening.pid,
      rooms: opening.rooms.map(roomKey),
      data: this.dataOf(principal, recovered),
      missedPackets: [],
    };
    const session = new SessionSocket(
      namespace,
      client,
      auth,
      previous,
      principal,
      recovered,
      hooks,
    );
    session.dormant = dormant;
    if (arrival) this.arrivals.set(session, arrival);
    if (recovered)
      this.missed.set(session, new Missed(session, opening.missed, this.isBehindInbox));
    return session;
  }

  /** Where clients acknowledge, what lies in the inbox of a continued session may be older than what it missed. */
  private get isBehindInbox(): boolean {
    return this.parts.config.inboxAck === 'client';
  }

  /** Until its inbox has been looked into, a session must not be continued as if it had. */
  private dataOf({ userId }: Principal, recovered: boolean): SessionData {
    const proves = !recovered && !this.isBehindInbox;
    return proves ? { userId, inbox: 'unread' } : { userId };
  }

  /** The client's earlier session, if it is this user's; another user's is discarded. */
  private async claim(
    namespace: string,
    principal: Principal,
    auth: Record<string, unknown>,
  ): Promise<LostSession | undefined> {
    const { backplane } = this.parts;
    const { pid, offset } = auth;
    if (!backplane.recovers || typeof pid !== 'string' || typeof offset !== 'string')
      return undefined;
    const lost = await backplane.claim(namespace, pid);
    if (!lost) metrics.recoveries.add('unknown');
    else if (lost.userId !== principal.userId) metrics.recoveries.add('other_user');
    // What it missed there is in the history: the client joins again and says since when.
    else if (lost.rooms.some((room) => conversationOf(room) !== undefined))
      metrics.recoveries.add('conversations');
    else if (await this.isUnproven(namespace, lost)) metrics.recoveries.add('unproven');
    else return lost;
    return undefined;
  }

  /** Of a session whose inbox was not looked into, nothing but what is recovered is missing if it is empty. */
  private async isUnproven(namespace: string, { inbox, userId }: LostSession): Promise<boolean> {
    if (inbox === 'unread') return !(await this.parts.inbox.isEmpty(namespace, userId));
    return inbox === 'unproven';
  }

  private async prepare(
    namespace: string,
    principal: Principal,
    id: string,
    lost: LostSession | undefined,
    auth: Record<string, unknown>,
    arrival: Arrival | undefined,
  ): Promise<Opening> {
    const { backplane, rooms } = this.parts;
    const held = arrival?.heldRooms ?? [];
    if (lost) {
      const kept = rooms.keep(principal, lost.rooms, held);
      const missed = await backplane.missed(namespace, lost, auth.offset as string, kept);
      metrics.recoveries.add(missed ? 'recovered' : 'too_old');
      metrics.recoveredEvents.add('', missed?.length ?? 0);
      if (missed) return { id, pid: auth.pid as string, rooms: kept, missed, recovered: true };
    }
    return {
      id,
      pid: backplane.recovers ? newId() : undefined,
      rooms: rooms.atConnect(principal, held),
      missed: [],
      recovered: false,
    };
  }

  private open(session: SessionSocket): void {
    const { backplane, config, presence, opened } = this.parts;
    const { principal, recovered, namespace, id } = session;
    const ending = this.entrants.endingOf(namespace, session.client);
    const arrival = this.arrivals.get(session);
    this.arrivals.delete(session);
    const missed = this.missed.get(session);
    this.missed.delete(session);
    // Before `connected`: its offset says that all of this was received.
    missed?.give();
    const user = userOf(principal);
    const timestamp = new Date(session.connectedAt).toISOString();
    session.send(
      'connected',
      {
        message: 'Successfully connected to WebSocket',
        userId: user.id,
        socketId: id,
        user,
        timestamp,
        recovered,
        ...(config.console === 'on' && { node: backplane.nodeId }),
      },
      missed?.isHeld ? undefined : backplane.offset(namespace),
    );
    metrics.connects.add(recovered ? 'recovered' : 'accepted');
    log.info({ user: user.id, session: id, namespace, recovered }, 'connect');
    opened(session);
    if (!session.dormant) presence.announceArrival(namespace, principal, arrival);
    if (ending) session.close(...ending);
  }

  /** Registers and announces a session that a version 2 client opened by itself, when it speaks. */
  wake(session: SessionSocket): void {
    const { presence } = this.parts;
    const { id, namespace, principal, connectedAt } = session;
    session.dormant = false;
    presence.arrive(namespace, { id, principal, connectedAt }).then(
      (arrival) => presence.announceArrival(namespace, principal, arrival),
      (thrown: unknown) => {
        session.sendError(toGatewayError(thrown));
        session.disconnect(true);
      },
    );
  }
}

/** The refusal as middleware gives it to Socket.IO; a version 2 client sees `data` only. */
function connectError(refusal: GatewayError, protocol: number): Error {
  const { message, code, retryable } = refusal.toBody();
  const data = protocol === 3 ? { message, code, retryable } : { code, retryable };
  return Object.assign(new Error(message), { data });
}

/** Document 5: a refused client is let in just long enough to be sent `error`. */
function sendAuthError(socket: Socket, refusal: GatewayError): void {
  const { message } = new GatewayError('authentication_failed');
  writePacket(socket, {
    type: PACKET.event,
    data: ['error', { ...refusal.toBody(), message }],
  });
  socket.disconnect(true);
}

/** Refusals of tokens say why in words that carry nothing of the token. */
function whyOf(error: GatewayError): string | undefined {
  return typeof error.cause === 'string' ? error.cause : undefined;
}
