import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import { conversationOf, conversationRoom } from '@streamgate/protocol/rooms';
import type { Backplane } from '../backplane/backplane.js';
import type { Session } from '../backplane/session.js';
import type { Config } from '../config.js';
import type { Attendee } from '../inbox/attendee.js';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import { CHAT, type Delivery } from './delivery.js';
import type { ChatStore, Membership } from './store/chat-store.js';
import type { Turns } from './turns.js';
import type { Untold } from './untold.js';

/** How often the store is asked again who the members are, when it is away. */
const RETRY_MS = 1000;
/**
 * How often the store is asked who is a member still, of all who have joined here: what a node was to
 * tell that was killed, nobody hears.
 */
const CHECK_MS = 30_000;
/** Pairs of user and conversation in one question. */
const STEP = 1000;
/** Joins and leaves that a session may have under way, beside two for each room that it may be in. */
const WAITING_LEAST = 16;

export interface ConversationRoomsParts {
  readonly config: Pick<Config, 'roomsPerSession'>;
  readonly backplane: Backplane;
  readonly store: Pick<ChatStore, 'isMember' | 'strangers'>;
  readonly delivery: Delivery;
  readonly turns: Turns;
  readonly untold: Untold;
}

/** Which sessions have joined which conversations: members only, from the join to the removal. */
export class ConversationRooms {
  private readonly parts: ConversationRoomsParts;
  /** Those of this node that have joined any, until they end. */
  private readonly sessions = new Set<Session>();
  /** Joins and leaves under way. */
  private readonly queues = new Map<Session, { last: Promise<unknown>; waiting: number }>();
  private readonly waitingMax: number;
  private retry: NodeJS.Timeout | undefined;
  private readonly sweeper: NodeJS.Timeout;

  constructor(parts: ConversationRoomsParts) {
    this.parts = parts;
    this.waitingMax = WAITING_LEAST + 2 * parts.config.roomsPerSession;
    // A removal that was said meanwhile has not been heard here.
    parts.backplane.onHealthChange(({ up }) => {
      if (up) void this.checkMembers();
    });
    this.sweeper = setInterval(() => void this.checkMembers(), CHECK_MS).unref();
    parts.backplane.onNotice((_namespace, _to, body) => {
      if (body.kind === 'chat-missed') void this.checkMembers(body.conversationIds);
    });
  }

  /**
   * From now on the session is sent what is said; first what was said after `since`, if that is given.
   * @returns number of the last message sent or passed over
   * @throws GatewayError `conversation_not_found`, `too_many_rooms`, `database_unavailable`
   */
  join(session: Attendee, conversationId: number, since?: number): Promise<number> {
    return this.inOrder(session, async () => {
      const wasIn = session.isIn(conversationRoom(conversationId));
      try {
        return await this.bringIn(session, conversationId, since);
      } catch (error) {
        const { code } = toGatewayError(error);
        if (!wasIn || code === 'conversation_not_found')
          await this.takeOut(session, conversationId);
        throw error;
      }
    });
  }

  leave(session: Session, conversationId: number): Promise<void> {
    return this.inOrder(session, () => this.takeOut(session, conversationId));
  }

  /** The sessions of a user that was removed leave, on all nodes. */
  async leaveAll(conversationId: number, userId: string): Promise<void> {
    const { backplane } = this.parts;
    const room = conversationRoom(conversationId);
    try {
      await backplane.relocate({ namespace: CHAT, action: 'leave', users: [userId], room });
    } catch (error) {
      if (!(error instanceof GatewayError && error.code === 'backplane_unavailable')) throw error;
      this.parts.untold.add(conversationId);
      metrics.notForwarded.add();
      await this.takeOutAll(conversationId, (member) => member !== userId);
    }
  }

  /** @throws GatewayError `not_in_conversation` */
  checkJoined(session: Session, conversationId: number): void {
    if (!session.isIn(conversationRoom(conversationId)))
      throw new GatewayError('not_in_conversation');
  }

  ended(session: Session): void {
    this.sessions.delete(session);
  }

  close(): void {
    clearTimeout(this.retry);
    clearInterval(this.sweeper);
  }

  private async bringIn(
    session: Attendee,
    conversationId: number,
    since: number | undefined,
  ): Promise<number> {
    const { backplane, config, delivery } = this.parts;
    const room = conversationRoom(conversationId);
    await this.checkMember(session, conversationId);
    if (!session.isIn(room) && joinedBy(session).length >= config.roomsPerSession)
      throw new GatewayError('too_many_rooms');
    return delivery.join(session, conversationId, since, async () => {
      await backplane.join(session, [room]);
      if (session.connected) this.sessions.add(session);
      // Removed since it was asked, it would not be told to leave.
      await this.checkMember(session, conversationId);
    });
  }

  /**
   * A client need not wait for one answer before it asks again; and who is sent what it missed in many
   * conversations is sent one after the other, as fast as it reads.
   * @throws GatewayError `rate_limited` when it asks on and on
   */
  private async inOrder<T>(session: Session, act: () => Promise<T>): Promise<T> {
    const queue = this.queues.get(session) ?? { last: Promise.resolve(), waiting: 0 };
    if (queue.waiting >= this.waitingMax) throw new GatewayError('rate_limited');
    this.queues.set(session, queue);
    queue.waiting += 1;
    const change = queue.last.then(act, act);
    queue.last = change;
    try {
      return await change;
    } finally {
      queue.waiting -= 1;
      if (queue.waiting === 0) this.queues.delete(session);
    }
  }

  private async checkMember({ principal }: Session, conversationId: number): Promise<void> {
    const { store, turns } = this.parts;
    if (!(await turns.take(() => store.isMember(conversationId, principal.userId))))
      throw new GatewayError('conversation_not_found');
  }

  /**
   * Sessions of those who are members no more leave; asks again until the store has answered.
   * @param of these conversations; absent: of all that anybody here has joined
   */
  private async checkMembers(of?: readonly number[]): Promise<void> {
    const { store, turns } = this.parts;
    const pairs = this.joined().filter(
      ({ conversationId }) => of?.includes(conversationId) ?? true,
    );
    try {
      for (let from = 0; from < pairs.length; from += STEP) {
        const step = pairs.slice(from, from + STEP);
        for (const { conversationId, userId } of await turns.take(() => store.strangers(step)))
          await this.takeOutAll(conversationId, (member) => member !== userId);
      }
    } catch (error) {
      log.debug({ code: toGatewayError(error).code }, 'members cannot be read from the store');
      clearTimeout(this.retry);
      this.retry = setTimeout(() => void this.checkMembers(), RETRY_MS).unref();
    }
  }

  /** Who has joined what on this node; two sessions of a user are one pair. */
  private joined(): Membership[] {
    const pairs = new Map<string, Membership>();
    for (const session of this.sessions)
      for (const conversationId of joinedBy(session)) {
        const { userId } = session.principal;
        pairs.set(`${conversationId} ${userId}`, { conversationId, userId });
      }
    return [...pairs.values()];
  }

  private async takeOutAll(
    conversationId: number,
    isMember: (userId: string) => boolean,
  ): Promise<void> {
    const room = conversationRoom(conversationId);
    for (const session of this.sessions) {
      if (!session.isIn(room) || isMember(session.principal.userId)) continue;
      await this.takeOut(session, conversationId);
      session.send('left-conversation', { conversationId, success: true });
    }
  }

  private async takeOut(session: Session, conversationId: number): Promise<void> {
    await this.parts.backplane.leave(session, [conversationRoom(conversationId)]);
  }
}

function joinedBy(session: Session): number[] {
  return session.roomNames().flatMap((room) => conversationOf(room) ?? []);
}
