import { GatewayError } from '@streamgate/protocol/errors';
import type { User } from '@streamgate/protocol/principal';
import type { ActiveUser } from '@streamgate/protocol/server-events';
import type {
  Arrival,
  Departure,
  Registry,
  RegistryListener,
  Revocation,
  SessionRecord,
  UserPage,
} from './registry.js';
import { Revoked } from './revoked.js';

/** A user who counts as online: has sessions, or lost the last one moments ago. */
interface Online {
  /** Place in lists. */
  readonly place: number;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly sessions: Map<string, SessionRecord>;
  readonly held: Set<string>;
  /** As the newest session's token says. */
  user: User;
  /** Until then a lost session keeps the user online. Milliseconds since the epoch. */
  graceUntil: number;
  timer?: NodeJS.Timeout;
}

/** The registry of a single node: what Redis does for several, in this process. */
export class MemoryRegistry implements Registry {
  private readonly namespaces = new Map<string, People>();
  private readonly listeners: Partial<RegistryListener>[] = [];
  private readonly revoked = new Revoked();

  async connect(
    namespace: string,
    session: SessionRecord,
    maxSessions: number,
  ): Promise<Arrival | undefined> {
    if (this.revoked.has(session.user.id, session.issuedAt))
      throw new GatewayError('token_revoked');
    return this.in(namespace).connect(session, maxSessions);
  }

  async disconnect(
    namespace: string,
    sessionId: string,
    graceMs: number,
  ): Promise<Departure | undefined> {
    return this.in(namespace).disconnect(sessionId, graceMs);
  }

  async update(namespace: string, session: SessionRecord): Promise<void> {
    this.in(namespace).update(session);
  }

  async find(namespace: string, userId: string): Promise<ActiveUser | undefined> {
    const online = this.in(namespace).users.get(userId);
    return online && activeUser(online);
  }

  async areOnline(namespace: string, userIds: readonly string[]): Promise<boolean[]> {
    const { users } = this.in(namespace);
    return userIds.map((userId) => users.has(userId));
  }

  async list(namespace: string, limit: number, cursor?: string): Promise<UserPage> {
    return this.in(namespace).list(limit, cursor);
  }

  async count(namespace: string): Promise<number> {
    return this.in(namespace).users.size;
  }

  async countByRole(namespace: string): Promise<Record<string, number>> {
    return Object.fromEntries(this.in(namespace).roles);
  }

  async hold(namespace: string, userIds: readonly string[], room: string): Promise<void> {
    const { users } = this.in(namespace);
    for (const userId of userIds) users.get(userId)?.held.add(room);
  }

  async release(namespace: string, userIds: readonly string[], room: string): Promise<void> {
    const { users } = this.in(namespace);
    for (const userId of userIds) users.get(userId)?.held.delete(room);
  }

  async sessionsOf(namespace: string, userIds: readonly string[]): Promise<number> {
    const { users } = this.in(namespace);
    return [...new Set(userIds)].reduce((sum, id) => sum + (users.get(id)?.sessions.size ?? 0), 0);
  }

  async revoke(userIds: readonly string[], issuedUntil: number, seconds: number): Promise<void> {
    const until = Date.now() + seconds * 1000;
    for (const userId of userIds) this.revoked.add({ userId, issuedUntil, until });
  }

  async revocations(): Promise<Revocation[]> {
    return this.revoked.all();
  }

  listen(listener: Partial<RegistryListener>): void {
    this.listeners.push(listener);
  }

  /** Nobody is told of departures any more. */
  close(): void {
    for (const people of this.namespaces.values()) people.close();
  }

  private in(namespace: string): People {
    let people = this.namespaces.get(namespace);
    if (!people) {
      people = new People((user, users) => {
        for (const listener of this.listeners) listener.departed?.(namespace, user, users);
      });
      this.namespaces.set(namespace, people);
    }
    return people;
  }
}

/** The users of one namespace. */
class People {
  readonly users = new Map<string, Online>();
  readonly roles = new Map<string, number>();
  private readonly userOfSession = new Map<string, string>();
  private places = 0;

  constructor(private readonly departed: (user: User, users: number) => void) {}

  connect(session: SessionRecord, maxSessions: number): Arrival {
    const { id, user } = session;
    let online = this.users.get(user.id);
    if (online && !online.sessions.has(id) && online.sessions.size >= maxSessions)
      throw new GatewayError('user_limit');
    const first = online === undefined;
    online ??= this.arrive(session);
    clearTimeout(online.timer);
    online.graceUntil = 0;
    online.sessions.set(id, session);
    this.userOfSession.set(id, user.id);
    this.show(online);
    return { first, users: this.users.size, heldRooms: [...online.held] };
  }

  disconnect(sessionId: string, graceMs: number): Departure {
    const userId = this.userOfSession.get(sessionId);
    const online = userId === undefined ? undefined : this.users.get(userId);
    if (!online) return { last: false, users: this.users.size };
    this.userOfSession.delete(sessionId);
    online.sessions.delete(sessionId);
    online.graceUntil = Math.max(online.graceUntil, graceMs > 0 ? Date.now() + graceMs : 0);
    const remaining = online.graceUntil - Date.now();
    if (online.sessions.size > 0) this.show(online);
    else if (remaining > 0) {
      online.timer = setTimeout(() => {
        this.depart(online);
        this.departed(online.user, this.users.size);
      }, remaining);
      online.timer.unref();
    } else {
      this.depart(online);
      return { last: true, users: this.users.size };
    }
    return { last: false, users: this.users.size };
  }

  update(session: SessionRecord): void {
    const online = this.users.get(session.user.id);
    if (!online?.sessions.has(session.id)) return;
    online.sessions.set(session.id, session);
    this.show(online);
  }

  list(limit: number, cursor: string | undefined): UserPage {
    if (cursor !== undefined && !/^\d{1,15}$/.test(cursor))
      throw new GatewayError('invalid_payload', 'Malformed cursor');
    const after = Number(cursor ?? 0);
    const page: Online[] = [];
    let nextCursor: string | undefined;
    // Kept in the order of their places: a Map iterates as it was filled.
    for (const online of this.users.values()) {
      if (online.place <= after) continue;
      if (page.length === limit) {
        nextCursor = String(page.at(-1)?.place);
        break;
      }
      page.push(online);
    }
    return { users: page.map(activeUser), count: this.users.size, nextCursor };
  }

  close(): void {
    for (const { timer } of this.users.values()) clearTimeout(timer);
  }

  private arrive({ user, connectedAt }: SessionRecord): Online {
    const online: Online = {
      place: ++this.places,
      since: connectedAt,
      sessions: new Map(),
      held: new Set(),
      user,
      graceUntil: 0,
    };
    this.users.set(user.id, online);
    this.countRoles(user.roles, 1);
    return online;
  }

  private depart({ user }: Online): void {
    this.users.delete(user.id);
    this.countRoles(user.roles, -1);
  }

  /** Of several sessions the newest says how the user is called and which roles it has. */
  private show(online: Online): void {
    let newest: SessionRecord | undefined;
    for (const session of online.sessions.values())
      if (!newest || session.connectedAt >= newest.connectedAt) newest = session;
    if (!newest || newest.user === online.user) return;
    this.countRoles(online.user.roles, -1);
    online.user = newest.user;
    this.countRoles(online.user.roles, 1);
  }

  private countRoles(roles: readonly string[], by: 1 | -1): void {
    for (const role of new Set(roles)) {
      const count = (this.roles.get(role) ?? 0) + by;
      if (count > 0) this.roles.set(role, count);
      else this.roles.delete(role);
    }
  }
}

function activeUser({ user, sessions, since }: Online): ActiveUser {
  return { ...user, sessions: sessions.size, connectedAt: new Date(since).toISOString() };
}
