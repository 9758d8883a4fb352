import { GatewayError } from '@streamgate/protocol/errors';
import { userOf, type Principal } from '@streamgate/protocol/principal';
import { roleRoom, userRoom } from '@streamgate/protocol/rooms';
import type { Delivered, ServerEventName, ServerPayload } from '@streamgate/protocol/server-events';
import type { Backplane, Publication } from '../backplane/backplane.js';
import { announce, forward } from '../backplane/forward.js';
import type { EventsOut } from '../backplane/events-out.js';
import type { Session } from '../backplane/session.js';
import type { Config } from '../config.js';
import { decideJoin, decideLeave, decideSpeak, isServerRoom } from './access.js';

/** Who is in a room and what the others in it are told. */
export class Rooms {
  constructor(
    private readonly config: Pick<Config, 'roomRules' | 'roomsPerSession'>,
    private readonly backplane: Backplane,
    private readonly eventsOut: EventsOut,
  ) {}

  /**
   * Rooms of a session from the start: its user, its roles, and what services' joins hold for the
   * user, which no rule decides.
   */
  atConnect(principal: Principal, held: readonly string[]): string[] {
    return [...new Set([userRoom(principal.userId), ...principal.roles.map(roleRoom), ...held])];
  }

  /** Rooms of a continued session: those of any new one, and of its old ones those still allowed. */
  keep(principal: Principal, lost: readonly string[], held: readonly string[]): string[] {
    const allowed = lost.filter((room) => this.admits(principal, room));
    return [...new Set([...this.atConnect(principal, held), ...allowed])];
  }

  /** Tells the others of the rooms in which a session is from the start: held or continued. */
  entered(session: Session): void {
    for (const room of session.roomNames()) this.tell('user-joined-room', session, room);
  }

  /**
   * Joins and tells the others, once.
   * @throws GatewayError `room_forbidden`, `too_many_rooms`
   */
  async join(session: Session, room: string): Promise<void> {
    // A room that a service brought it into is not decided again.
    if (!isServerRoom(room) && session.isIn(room)) return;
    if (!this.admits(session.principal, room)) throw new GatewayError('room_forbidden');
    if (visible(session.roomNames()).length >= this.config.roomsPerSession)
      throw new GatewayError('too_many_rooms');
    await this.backplane.join(session, [room]);
    if (session.isIn(room)) this.tell('user-joined-room', session, room);
  }

  /**
   * Leaves and tells the others; nothing happens when it is not in the room.
   * @throws GatewayError `room_forbidden`
   */
  async leave(session: Session, room: string): Promise<void> {
    if (decideLeave(room) === 'forbidden') throw new GatewayError('room_forbidden');
    if (!session.isIn(room)) return;
    await this.backplane.leave(session, [room]);
    this.tell('user-left-room', session, room);
  }

  /** Tells the others that a session ended, in all rooms that it was in. */
  ended(session: Session, rooms: readonly string[]): void {
    for (const room of rooms) this.tell('user-left-room', session, room);
  }

  /**
   * After a token refresh: moves the session to its present role rooms, and out of the rooms that
   * the new token does not open while the old one did. A room that neither opens is one into which
   * a service brought it: it stays.
   */
  async rolesChanged(session: Session, before: Principal): Promise<void> {
    const rooms = session.roomNames();
    const own = this.atConnect(session.principal, []);
    const formerRoles = rooms.filter((room) => room.startsWith('role:') && !own.includes(room));
    const closed = visible(rooms).filter(
      (room) => this.admits(before, room) && !this.admits(session.principal, room),
    );
    const leave = [...formerRoles, ...closed];
    const join = own.filter((room) => !rooms.includes(room));
    if (leave.length > 0) await this.backplane.leave(session, leave);
    if (join.length > 0) await this.backplane.join(session, join);
    for (const room of closed) {
      session.send('left-room', { room, message: `No longer allowed in room ${room}` });
      this.tell('user-left-room', session, room);
    }
  }

  /** @throws GatewayError `room_forbidden`, `not_in_room` unless the session may speak or type there */
  checkSpeak(session: Session, room: string): void {
    const verdict = decideSpeak(room, session.isIn(room));
    if (verdict === 'forbidden') throw new GatewayError('room_forbidden');
    if (verdict === 'not_in_room') throw new GatewayError('not_in_room');
  }

  /**
   * Says to everyone in the room, the session included.
   * @throws GatewayError `room_forbidden`, `not_in_room`
   */
  async speakIn<E extends ServerEventName>(
    session: Session,
    room: string,
    event: E,
    payload: ServerPayload<E>,
  ): Promise<Delivered> {
    this.checkSpeak(session, room);
    return this.speak(session, { to: [room], event, args: [payload] });
  }

  /** Says in the namespace of the session; who may be addressed is the caller's to know. */
  speak(session: Session, words: Omit<Publication, 'namespace'>): Promise<Delivered> {
    return forward(this.backplane, { namespace: session.namespace, ...words });
  }

  private admits(principal: Principal, room: string): boolean {
    return decideJoin(this.config.roomRules, principal, room) === 'allowed';
  }

  private tell(event: 'user-joined-room' | 'user-left-room', session: Session, room: string): void {
    if (isServerRoom(room)) return;
    this.eventsOut.tell({
      type: event === 'user-joined-room' ? 'join' : 'leave',
      nsp: session.namespace,
      userId: session.principal.userId,
      sessionId: session.id,
      data: { room },
    });
    const payload: ServerPayload<typeof event> = {
      user: userOf(session.principal),
      room,
      timestamp: new Date().toISOString(),
    };
    announce(this.backplane, {
      namespace: session.namespace,
      to: [room],
      exceptSessions: [session.id],
      event,
      args: [payload],
    });
  }
}

/** Without the rooms that a session is in by who it is. */
function visible(rooms: readonly string[]): string[] {
  return rooms.filter((room) => !isServerRoom(room));
}
