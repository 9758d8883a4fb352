import type { ClosingCause } from '@streamgate/protocol/closings';
import type { GatewayError } from '@streamgate/protocol/errors';
import type { Principal } from '@streamgate/protocol/principal';
import type { SentEventName, SentPayload } from '@streamgate/protocol/event-maps';

/**
 * One connected socket of a principal, on this node, as every folder above the backplane sees it.
 * `edge/` implements it over Socket.IO.
 */
export interface Session {
  /** Socket.IO id; also names the session in the registry. */
  readonly id: string;
  /** Namespace, `/` or `/chat`. */
  readonly namespace: string;
  /** Replaced when the token is refreshed; always of the same user. */
  readonly principal: Principal;
  /** Milliseconds since the epoch. */
  readonly connectedAt: number;
  /** Whether missed events and rooms of an earlier connection were given back. */
  readonly recovered: boolean;
  /** Whether it can still receive. */
  readonly connected: boolean;

  /** Names of all rooms it is in, `user:` and `role:` rooms included. */
  roomNames(): string[];
  isIn(room: string): boolean;

  /** Sends straight to this session, never through the adapter: works with Redis paused or dead. */
  send<E extends SentEventName>(event: E, payload: SentPayload<E>): void;
  /** Sends `error`; `event` names what was refused. */
  sendError(error: GatewayError, event?: string): void;
  /**
   * Takes a new token of the same user; changed roles re-decide role rooms.
   * @returns its expiry in milliseconds since the epoch, undefined for none
   * @throws GatewayError `authentication_failed`, `token_expired`, `user_mismatch`, `jwks_unavailable`
   */
  renew(token: string): Promise<number | undefined>;
  /** Ends the session in the way that the closings table gives for the cause. */
  close(cause: ClosingCause): void;
}

/** Is told of the sessions of a namespace, by the edge. */
export interface SessionWatcher {
  /** It is open and was sent `connected`. */
  opened(session: Session): void;
  /** @param rooms names of the rooms that it was in until now */
  ended(session: Session, rooms: readonly string[]): void;
}
