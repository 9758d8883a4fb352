import { toGatewayError } from '@streamgate/protocol/errors';
import { GatewayError } from '@streamgate/protocol/errors';
import { hasRole, userOf, type Principal, type User } from '@streamgate/protocol/principal';
import { userRoom } from '@streamgate/protocol/rooms';
import type {
  ActiveUser,
  ActiveUsers,
  ServerEventName,
  ServerPayload,
  UsersStats,
} from '@streamgate/protocol/server-events';
import type { Backplane } from '../backplane/backplane.js';
import type { EventsOut } from '../backplane/events-out.js';
import { announce } from '../backplane/forward.js';
import type { Arrival } from '../backplane/registry.js';
import type { Session } from '../backplane/session.js';
import type { Config } from '../config.js';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import { issuedAt } from './revocations.js';

/** A page of a list. */
export interface Page {
  /** How many users; `STREAMGATE_PAGE_SIZE` unless given. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

/** A user came, or is gone. */
export type Announcer = (status: 'online' | 'offline', user: User) => void;

/** Who is connected, cluster-wide, and telling the others who comes and goes. */
export class Presence {
  /** Users online by namespace, when last asked. */
  private counted: [namespace: string, users: number][] = [];
  private readonly announcers = new Map<string, Announcer>();

  constructor(
    private readonly config: Pick<
      Config,
      'announceMaxUsers' | 'maxSessionsPerUser' | 'offlineSeconds' | 'pageSize' | 'presenceRoles'
    >,
    private readonly backplane: Backplane,
    private readonly eventsOut: EventsOut,
  ) {
    backplane.registry.listen({
      arrived: (namespace, user, users) => this.announce('online', namespace, user, users),
      departed: (namespace, user, users) => this.announce('offline', namespace, user, users),
    });
    metrics.users.read(() => {
      void this.countUsers();
      return this.counted;
    });
  }

  /**
   * Registers a session. Undefined while the backplane is away: it is made good later.
   * @param session `connectedAt` in milliseconds since the epoch
   * @throws GatewayError `user_limit`, `token_revoked`
   */
  arrive(
    namespace: string,
    session: { id: string; principal: Principal; connectedAt: number },
  ): Promise<Arrival | undefined> {
    return this.backplane.registry.connect(
      namespace,
      {
        id: session.id,
        user: userOf(session.principal),
        connectedAt: session.connectedAt,
        issuedAt: issuedAt(session.principal),
      },
      this.config.maxSessionsPerUser,
    );
  }

  /** Tells the others of a user's first session; with no arrival the registry tells later. */
  announceArrival(namespace: string, principal: Principal, arrival: Arrival | undefined): void {
    if (arrival?.first) this.announce('online', namespace, userOf(principal), arrival.users);
  }

  /**
   * Removes a session; tells the others when the user is gone with it.
   * @param onPurpose the client said so: gone at once. Else the user counts as online for
   *   `STREAMGATE_OFFLINE_SECONDS` more, and the registry tells when they are over
   */
  async depart(
    session: Pick<Session, 'id' | 'namespace' | 'principal'>,
    onPurpose: boolean,
  ): Promise<void> {
    const departure = await this.backplane.registry.disconnect(
      session.namespace,
      session.id,
      onPurpose ? 0 : this.config.offlineSeconds * 1000,
    );
    if (departure?.last)
      this.announce('offline', session.namespace, userOf(session.principal), departure.users);
  }

  /** After a token refresh: lists show the new user name and roles. */
  changed(session: Session): Promise<void> {
    return this.backplane.registry.update(session.namespace, {
      id: session.id,
      user: userOf(session.principal),
      connectedAt: session.connectedAt,
      issuedAt: issuedAt(session.principal),
    });
  }

  /** @throws GatewayError `backplane_unavailable`, `invalid_payload` for a malformed cursor */
  async activeUsers(namespace: string, page: Page): Promise<ActiveUsers> {
    const { users, count, nextCursor } = await this.list(namespace, page);
    return { users: [...users], count, ...(nextCursor !== undefined && { nextCursor }) };
  }

  /** @throws GatewayError `backplane_unavailable`, `invalid_payload` for a malformed cursor */
  async stats(namespace: string, page: Page): Promise<UsersStats> {
    const [{ users, count, nextCursor }, usersByRole] = await Promise.all([
      this.list(namespace, page),
      this.backplane.registry.countByRole(namespace),
    ]);
    return {
      totalUsers: count,
      usersByRole,
      connectionTimes: users.map(({ id, username, connectedAt }) => ({
        userId: id,
        username,
        connectedAt,
      })),
      ...(nextCursor !== undefined && { nextCursor }),
    };
  }

  /** In this namespace not everyone is told, but whom the announcer tells. */
  announceBy(namespace: string, announcer: Announcer): void {
    this.announcers.set(namespace, announcer);
  }

  /** Undefined when not online. @throws GatewayError `backplane_unavailable` */
  find(namespace: string, userId: string): Promise<ActiveUser | undefined> {
    return this.backplane.registry.find(namespace, userId);
  }

  /** Who of them is online, in the order given. @throws GatewayError `backplane_unavailable` */
  areOnline(namespace: string, userIds: readonly string[]): Promise<boolean[]> {
    return this.backplane.registry.areOnline(namespace, userIds);
  }

  /** As `areOnline`; undefined while the backplane is away: nobody can tell. */
  async areOnlineIfKnown(
    namespace: string,
    userIds: readonly string[],
  ): Promise<boolean[] | undefined> {
    try {
      return await this.areOnline(namespace, userIds);
    } catch (thrown) {
      if (thrown instanceof GatewayError && thrown.code === 'backplane_unavailable')
        return undefined;
      throw thrown;
    }
  }

  /**
   * Who is in a room, on all nodes: they are asked, so it costs as much as the room is large.
   * @throws GatewayError `backplane_unavailable`
   */
  async inRoom(namespace: string, room: string, { limit = this.config.pageSize, cursor }: Page) {
    const after = cursor === undefined ? '' : Buffer.from(cursor, 'base64url').toString();
    const counts = await this.backplane.members(namespace, room);
    const all = [...counts].map(([userId, sessions]) => ({ userId, sessions }));
    const sessions = all.reduce((sum, member) => sum + member.sessions, 0);
    const left = all
      .filter(({ userId }) => userId > after)
      .toSorted((a, b) => (a.userId < b.userId ? -1 : 1));
    const members = left.slice(0, limit);
    const last = left.length > limit ? members.at(-1) : undefined;
    const nextCursor = last && Buffer.from(last.userId).toString('base64url');
    return { sessions, users: all.length, members, ...(nextCursor && { nextCursor }) };
  }

  /** Whether the user has a session on this node. */
  isHere(namespace: string, userId: string): boolean {
    return this.backplane.hasLocal(namespace, userRoom(userId));
  }

  /**
   * Whether the user is online. Asks the registry only for those who are not on this node.
   * @throws GatewayError `backplane_unavailable`
   */
  async isOnline(namespace: string, userId: string): Promise<boolean> {
    if (this.isHere(namespace, userId)) return true;
    const [online = false] = await this.areOnline(namespace, [userId]);
    return online;
  }

  /** Whether the principal may list who is connected. */
  mayList(principal: Principal): boolean {
    return hasRole(principal, this.config.presenceRoles);
  }

  /** For the next scrape: the registry answers when it can. */
  private async countUsers(): Promise<void> {
    try {
      const counts = ['/', '/chat'].map(async (namespace): Promise<[string, number]> => [
        namespace,
        await this.backplane.registry.count(namespace),
      ]);
      this.counted = await Promise.all(counts);
    } catch (thrown) {
      log.debug({ code: toGatewayError(thrown).code }, 'users not counted');
      this.counted = [];
    }
  }

  private list(namespace: string, { limit = this.config.pageSize, cursor }: Page) {
    return this.backplane.registry.list(namespace, limit, cursor);
  }

  /** Telling everyone costs the square of their number: above the limit nobody is told. */
  private announce(
    status: 'online' | 'offline',
    namespace: string,
    user: User,
    users: number,
  ): void {
    this.eventsOut.tell({
      type: status === 'online' ? 'first_session' : 'last_session',
      nsp: namespace,
      userId: user.id,
      data: { user },
    });
    const announcer = this.announcers.get(namespace);
    if (announcer) {
      announcer(status, user);
      return;
    }
    if (users > this.config.announceMaxUsers) {
      metrics.announcementsSuppressed.add();
      return;
    }
    const timestamp = new Date().toISOString();
    this.tell(namespace, user, status === 'online' ? 'user-connected' : 'user-disconnected', {
      user,
      timestamp,
      activeUsersCount: users,
    });
    this.tell(namespace, user, 'user_presence', { userId: user.id, status, timestamp });
  }

  private tell<E extends ServerEventName>(
    namespace: string,
    user: User,
    event: E,
    payload: ServerPayload<E>,
  ): void {
    announce(this.backplane, {
      namespace,
      to: '*',
      except: [userRoom(user.id)],
      event,
      args: [payload],
    });
  }
}
