import type { User } from '@streamgate/protocol/principal';
import type { ActiveUser } from '@streamgate/protocol/server-events';

/** What the registry knows of a session. */
export interface SessionRecord {
  readonly id: string;
  readonly user: User;
  /** Milliseconds since the epoch. */
  readonly connectedAt: number;
  /** When its token was issued, in milliseconds since the epoch; unknown without `iat`. */
  readonly issuedAt?: number | undefined;
}

/** Tokens of a user that were issued up to a moment are refused, for a while. */
export interface Revocation {
  readonly userId: string;
  /** Milliseconds since the epoch; a token that says nothing of its issue is refused too. */
  readonly issuedUntil: number;
  /** Milliseconds since the epoch: when it is forgotten. */
  readonly until: number;
}

export interface Arrival {
  /** This is the user's only session, and the user was not counted as online before. */
  readonly first: boolean;
  /** Users online in the namespace, cluster-wide, this one included. */
  readonly users: number;
  /** Rooms that a service's join holds for the user. */
  readonly heldRooms: readonly string[];
}

export interface Departure {
  /** The user is no longer online. */
  readonly last: boolean;
  /** Users online in the namespace after it, cluster-wide. */
  readonly users: number;
}

/** What happened to users without a session of this node being opened or closed just now. */
export interface RegistryListener {
  /** Registered late, after the registry was away; `first` as in an arrival. */
  arrived(namespace: string, user: User, users: number): void;
  /** A departure that came due, or a dead node's user: said by this node, by no other. */
  departed(namespace: string, user: User, users: number): void;
  /** A session of this node was let in while the registry was away, with a revoked token. */
  revoked(namespace: string, sessionId: string): void;
}

export interface UserPage {
  readonly users: readonly ActiveUser[];
  /** All users online in the namespace. */
  readonly count: number;
  /** Give it back as `cursor` for the next page; undefined on the last. */
  readonly nextCursor: string | undefined;
}

/**
 * Who is connected, with how many sessions, on which node, in which roles, since when: cluster-wide
 * and without asking other nodes. Each namespace has its own. Reads throw `backplane_unavailable`
 * while Redis is away; writes are remembered by the node and made good when it is back.
 */
export interface Registry {
  /**
   * Adds a session. A continued session keeps its id and may come while the node that lost it still
   * has it: the newest connect owns the id, and a disconnect by a former owner removes nothing.
   * Undefined while Redis is away: it is written later and the listener told.
   * @param maxSessions of the user, cluster-wide
   * @throws GatewayError `user_limit`, `token_revoked`
   */
  connect(
    namespace: string,
    session: SessionRecord,
    maxSessions: number,
  ): Promise<Arrival | undefined>;
  /**
   * Removes a session. Undefined while Redis is away (made good later).
   * @param graceMs how long the user still counts as online when it was the last; 0 = gone at once
   */
  disconnect(namespace: string, sessionId: string, graceMs: number): Promise<Departure | undefined>;
  /** Changed user name or roles of a connected session (token refresh). */
  update(namespace: string, session: SessionRecord): Promise<void>;

  /** One user, or undefined when not online. */
  find(namespace: string, userId: string): Promise<ActiveUser | undefined>;
  /** Which of the users are online, in the order given. */
  areOnline(namespace: string, userIds: readonly string[]): Promise<boolean[]>;
  /** @param cursor of the page before; a malformed one throws `invalid_payload` */
  list(namespace: string, limit: number, cursor?: string): Promise<UserPage>;
  count(namespace: string): Promise<number>;
  /** Users per role, exactly as spelled in the tokens. */
  countByRole(namespace: string): Promise<Record<string, number>>;

  /** A service's join: holds for the user until offline. Users who are not online are left out. */
  hold(namespace: string, userIds: readonly string[], room: string): Promise<void>;
  release(namespace: string, userIds: readonly string[], room: string): Promise<void>;

  /** Sessions of these users, cluster-wide, each user counted once. */
  sessionsOf(namespace: string, userIds: readonly string[]): Promise<number>;

  /**
   * From now on refuses sessions of these users with tokens issued up to a moment, in all namespaces.
   * @param issuedUntil milliseconds since the epoch
   * @param seconds for how long
   */
  revoke(userIds: readonly string[], issuedUntil: number, seconds: number): Promise<void>;
  /** What is revoked at present. */
  revocations(): Promise<Revocation[]>;

  listen(listener: Partial<RegistryListener>): void;
}
