import type { Namespace } from 'socket.io';
import type { Namespace as NamespaceName } from '@streamgate/protocol/commands';
import { GatewayError } from '@streamgate/protocol/errors';
import type { Backplane } from '../backplane/backplane.js';
import type { SessionWatcher } from '../backplane/session.js';
import type { Config } from '../config.js';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import type { Inbox } from '../inbox/inbox.js';
import type { Presence } from '../presence/presence.js';
import type { Revocations } from '../presence/revocations.js';
import type { Typing } from '../presence/typing.js';
import type { Rooms } from '../rooms/rooms.js';
import { Connect } from './connect.js';
import { dispatch, refuse } from './dispatch.js';
import { ExpiryWheel } from './expiry.js';
import type { FloodGuard } from './flood-guard.js';
import type { Handlers } from './handlers.js';
import type { HoldOptions } from './hold.js';
import type { SessionHooks, SessionSocket } from './session-socket.js';
import type { Packet } from './socket-io-internals.js';
import { closeWhenTold } from './told-closings.js';
import type { TokenVerifier } from './tokens.js';
import { Transports } from './transports.js';

export interface SessionsParts {
  readonly config: Config;
  readonly backplane: Backplane;
  readonly inbox: Inbox;
  readonly tokens: TokenVerifier;
  readonly presence: Presence;
  readonly revocations: Revocations;
  readonly rooms: Rooms;
  readonly typing: Typing;
  /** Undefined: `/chat` is refused. */
  readonly chat?: SessionWatcher | undefined;
  /** Of each namespace that is open. */
  readonly handlers: Readonly<Partial<Record<NamespaceName, Handlers>>>;
  readonly flood: FloodGuard;
}

/** Reasons of Socket.IO for an end that somebody wanted; all others are lost transports. */
const ON_PURPOSE: ReadonlySet<string> = new Set([
  'client namespace disconnect',
  'server namespace disconnect',
]);

/** The life of all sessions of this node: what they say, when their tokens end, how they end. */
export class Sessions implements SessionHooks {
  private readonly parts: SessionsParts;
  private readonly connect: Connect;
  private readonly expiry: ExpiryWheel<SessionSocket>;
  readonly holding: HoldOptions;
  readonly transports = new Transports();
  private readonly graceMs: number;
  private readonly departing = new Set<Promise<void>>();

  constructor(parts: SessionsParts) {
    this.parts = parts;
    const { backplane, config } = parts;
    this.holding = {
      tag: () => backplane.deliveringTag,
      maxBytes: config.maxBufferedBytes,
      onFull: (session) => session.close('slow_consumer'),
    };
    this.graceMs = parts.config.tokenGraceSeconds * 1000;
    this.expiry = new ExpiryWheel((session) => this.expired(session));
    this.connect = new Connect({
      ...parts,
      hooks: this,
      opened: (session) => this.opened(session),
    });
  }

  /** Connects that are being decided. */
  get opening(): number {
    return this.connect.entrants.size;
  }

  /** Makes the namespaces open sessions. */
  install(root: Namespace, chat: Namespace): void {
    this.connect.install(root);
    this.connect.install(chat, this.parts.chat ? undefined : 'chat_disabled');
    closeWhenTold(this.parts.backplane, [root, chat], this.connect.entrants);
  }

  /** Resolves when all ended sessions are unregistered. */
  async close(): Promise<void> {
    this.expiry.close();
    await Promise.all(this.departing);
  }

  event(session: SessionSocket, packet: Packet): void {
    const { flood } = this.parts;
    const handlers = this.handlersOf(session);
    const verdict = flood.take(session);
    if (verdict === 'close') session.close('flood');
    else if (verdict !== 'ok')
      refuse(
        handlers,
        session,
        packet,
        new GatewayError('rate_limited', undefined, { retryAfterMs: verdict }),
      );
    else {
      if (session.dormant) this.wake(session);
      dispatch(handlers, session, packet);
    }
  }

  private handlersOf({ namespace }: SessionSocket): Handlers {
    return this.parts.handlers[namespace as NamespaceName]!;
  }

  private watcherOf({ namespace }: SessionSocket): SessionWatcher | undefined {
    return namespace === '/chat' ? this.parts.chat : undefined;
  }

  closed(session: SessionSocket, reason: string, rooms: readonly string[]): void {
    const { inbox, presence, rooms: allRooms, typing } = this.parts;
    this.expiry.unwatch(session);
    this.transports.closed(session);
    const durationMs = Date.now() - session.connectedAt;
    metrics.disconnects.add(reason);
    metrics.sessionSeconds.observe(durationMs / 1000);
    log.info(
      {
        user: session.principal.userId,
        session: session.id,
        namespace: session.namespace,
        reason,
        durationMs,
      },
      'disconnect',
    );
    typing.ended(session);
    allRooms.ended(session, rooms);
    this.watcherOf(session)?.ended(session, rooms);
    inbox.closed(session);
    if (session.dormant) return;
    const departing = presence
      .depart(session, ON_PURPOSE.has(reason))
      .then(() => inbox.departed(session))
      .catch((err: unknown) => log.error({ err, session: session.id }, 'cannot unregister'))
      .finally(() => this.departing.delete(departing));
    this.departing.add(departing);
  }

  async renew(session: SessionSocket, token: string): Promise<number | undefined> {
    const { tokens, presence, rooms } = this.parts;
    const principal = await tokens.verify(token);
    const before = session.principal;
    if (principal.userId !== before.userId) throw new GatewayError('user_mismatch');
    if (!session.connected) return principal.expiresAt;
    session.principal = principal;
    session.expired = false;
    this.watch(session);
    // Rooms first: what was taken away must not wait for the registry.
    await rooms.rolesChanged(session, before);
    if (!session.dormant) await presence.changed(session);
    return principal.expiresAt;
  }

  private opened(session: SessionSocket): void {
    this.parts.flood.opened(session);
    this.transports.opened(session);
    this.watch(session);
    this.parts.rooms.entered(session);
    // What is kept is sent out of the inbox when it wakes, and not before.
    if (session.dormant) session.sift(() => false);
    else this.parts.inbox.opened(session);
    this.watcherOf(session)?.opened(session);
    // Revoked while it was being let in: nobody could end it then.
    if (this.parts.revocations.has(session.principal)) session.close('revoked');
  }

  private wake(session: SessionSocket): void {
    this.connect.wake(session);
    this.parts.inbox.opened(session);
  }

  changed(session: SessionSocket): Promise<void> {
    return this.parts.backplane.save(session);
  }

  private watch(session: SessionSocket): void {
    const { expiresAt } = session.principal;
    if (expiresAt === undefined) this.expiry.unwatch(session);
    else this.expiry.watch(session, expiresAt);
  }

  /** First the token ends and the grace time begins, then the session ends. */
  private expired(session: SessionSocket): void {
    if (session.expired || this.graceMs === 0) {
      session.close('token_expired');
      return;
    }
    session.expired = true;
    session.sendError(new GatewayError('token_expired'));
    this.expiry.watch(session, Date.now() + this.graceMs);
  }
}
