import type { AnswerOf, Problem } from '@streamgate/protocol/rest';
import { EmitterError, failure } from './emitter-error.js';

export { EmitterError } from './emitter-error.js';

export interface PresenceOptions {
  /** Of the gateway: `http://streamgate:3000`. */
  readonly url: string;
  /** A token with a role of `STREAMGATE_PRESENCE_ROLES`, or what gives the one that is valid now. */
  readonly token: string | (() => string | Promise<string>);
  /** How long to wait for an answer. Default 5000. */
  readonly timeoutMs?: number;
}

/** Which page of a list: at most 1000 entries, `cursor` is `nextCursor` of the page before. */
export interface PageOptions {
  readonly limit?: number;
  readonly cursor?: string;
}

/**
 * Who is connected to `/`, cluster-wide: asked through the REST door.
 * Every method throws EmitterError: `gateway_away`, or the gateway's own code such as
 * `token_expired`, `forbidden`, `backplane_unavailable`.
 */
export class Presence {
  constructor(private readonly options: PresenceOptions) {}

  async isConnected(userId: string | number): Promise<boolean> {
    const path = `/api/gateway/status/${encodeURIComponent(userId)}`;
    return (await this.get<AnswerOf<'status'>>(path)).connected;
  }

  /** With how many sessions, and since when. */
  user(userId: string | number): Promise<AnswerOf<'user'>> {
    return this.get(`/v1/users/${encodeURIComponent(userId)}`);
  }

  /** How many sessions and users are in a room, and who. */
  room(room: string, page: PageOptions = {}): Promise<AnswerOf<'room'>> {
    return this.get(`/v1/rooms/${encodeURIComponent(room)}`, page);
  }

  async activeUsersCount(): Promise<number> {
    return (await this.connectedUsers({ limit: 1 })).count;
  }

  /** Ids of connected users; `count` is all of them, not only this page. */
  connectedUsers(page: PageOptions = {}): Promise<AnswerOf<'connected'>> {
    return this.get('/api/gateway/connected', page);
  }

  /** Connected users with roles, sessions and since when; and statistics. */
  activeUsers(page: PageOptions = {}): Promise<AnswerOf<'activeUsers'>> {
    return this.get('/websocket/active-users', page);
  }

  private async get<T>(path: string, page: PageOptions = {}): Promise<T> {
    const { url, token, timeoutMs = 5000 } = this.options;
    const target = new URL(path, url);
    for (const [name, value] of Object.entries(page)) target.searchParams.set(name, String(value));
    const bearer = typeof token === 'string' ? token : await token();
    const response = await fetch(target, {
      headers: { Authorization: `Bearer ${bearer}` },
      signal: AbortSignal.timeout(timeoutMs),
    }).catch((cause: unknown) => {
      throw failure('gateway_away', { cause });
    });
    const body = await response.json().catch((cause: unknown) => {
      throw failure('gateway_away', { cause }); // something in between answered
    });
    if (response.ok) return body as T;
    const { code, message, retryable } = body as Problem;
    throw new EmitterError(code, message, retryable);
  }
}
