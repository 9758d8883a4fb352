import type { Origin } from './origin.js';

/**
 * What nodes tell nodes. Nodes of neighbouring releases work side by side: a kind that is not known
 * is passed over, and fields are only added.
 */
export type NoticeBody =
  | DisconnectNotice
  | RevokedNotice
  | InboxNotice
  | ChatNotice
  | ChatMissedNotice;

/** End all sessions of these users: a service said so. */
export interface DisconnectNotice {
  readonly kind: 'disconnect';
  readonly users: readonly string[];
  /** What the client's `error` event says; the catalogue's `disconnected` when absent. */
  readonly code?: string;
  readonly reason?: string;
}

/** Refuse tokens of these users that were issued at or before a moment. */
export interface RevokedNotice {
  readonly kind: 'revoked';
  readonly users: readonly string[];
  /** Milliseconds since the epoch: tokens issued up to then are refused. */
  readonly issuedUntil: number;
  /** Milliseconds since the epoch: when that is forgotten. */
  readonly until: number;
}

/** Something lies in the inbox of these users. */
export interface InboxNotice {
  readonly kind: 'inbox';
  readonly users: readonly string[];
}

/** Something was said in a conversation, or became of what was said there. */
export interface ChatNotice {
  readonly kind: 'chat';
  readonly conversationId: number;
  /** Of the message that it is, or is about. */
  readonly seq: number;
  /** `receive-message`, or what is told of a message; nodes hand it on as it is. */
  readonly event: string;
  readonly payload: unknown;
  /** Where it comes from; no session sees it. */
  readonly origin?: Origin | undefined;
  /** Has been answered already. */
  readonly exceptSession?: string;
  /** The node that has handed it on already; the others were not told then. */
  readonly heardBy?: string;
}

/** Something in these conversations was not told: the store is to be asked. Absent: in any. */
export interface ChatMissedNotice {
  readonly kind: 'chat-missed';
  readonly conversationIds?: readonly number[] | undefined;
}
