import { z } from 'zod';
import type { ErrorBody, ErrorCode } from './errors.js';
import { User } from './principal.js';

/** ISO 8601, UTC, milliseconds. */
export const Timestamp = z.iso.datetime();

/** A user in a list: with how many sessions, and since when. */
export const ActiveUser = User.extend({
  sessions: z.number().int(),
  connectedAt: Timestamp,
});
export type ActiveUser = z.infer<typeof ActiveUser>;

export const ConnectionTime = z.object({
  userId: z.string(),
  username: z.string(),
  connectedAt: Timestamp,
});
export type ConnectionTime = z.infer<typeof ConnectionTime>;

export const ActiveUsers = z.object({
  users: z.array(ActiveUser),
  /** All connected users, not only those of this page. */
  count: z.number().int(),
  nextCursor: z.string().optional(),
});
export type ActiveUsers = z.infer<typeof ActiveUsers>;

export const UsersStats = z.object({
  totalUsers: z.number().int(),
  usersByRole: z.record(z.string(), z.number().int()),
  connectionTimes: z.array(ConnectionTime),
  nextCursor: z.string().optional(),
});
export type UsersStats = z.infer<typeof UsersStats>;

const Announcement = z.object({
  user: User,
  timestamp: Timestamp,
  activeUsersCount: z.number().int(),
});
const FromUser = z.object({ from: User, message: z.string(), timestamp: Timestamp });
const RoomChange = z.object({ user: User, room: z.string(), timestamp: Timestamp });
const RoomAnswer = z.object({ room: z.string(), message: z.string() });
const Notification = z.object({
  from: User,
  message: z.string(),
  type: z.string(),
  timestamp: Timestamp,
});

/** A code of the catalogue, or the one that a service gave for a disconnect. */
export type ShownCode = ErrorCode | (string & Record<never, never>);

/** The `error` event and the `error` of an ack; `event` names what was refused. */
export const ErrorEvent = z.object({
  message: z.string(),
  code: z.string() as unknown as z.ZodType<ShownCode>,
  retryable: z.boolean(),
  retryAfterMs: z.number().optional(),
  event: z.string().optional(),
});

/** Events that the gateway itself sends on `/`, by document, with the schema of their payload. */
export const SERVER_EVENTS = {
  // All documents
  connected: z.object({
    message: z.string(),
    userId: z.string(),
    socketId: z.string(),
    user: User,
    timestamp: Timestamp,
    recovered: z.boolean(),
    /** The node that holds the session; where the console is served. */
    node: z.string().optional(),
  }),
  error: ErrorEvent,
  'token-refreshed': z.object({ expiresAt: Timestamp.nullable() }),
  /** All that had waited for the user was sent on this session; what follows is live. */
  'inbox-delivered': z.object({ events: z.number().int() }),
  /** Sent before a drain moves sessions, when the operator asked for it. */
  draining: z.object({ withinMs: z.number().int() }),
  // Document 1
  pong: z.object({ timestamp: Timestamp, data: z.json().optional() }),
  // Document 3
  'user-connected': Announcement,
  'user-disconnected': Announcement,
  'active-users': ActiveUsers,
  'users-stats': UsersStats,
  'private-message': FromUser,
  'broadcast-message': FromUser,
  'room-message': FromUser.extend({ room: z.string() }),
  notification: Notification,
  'broadcast-notification': Notification,
  'role-notification': Notification.extend({ targetRole: z.string() }),
  'user-joined-room': RoomChange,
  'user-left-room': RoomChange,
  'joined-room': RoomAnswer,
  'left-room': RoomAnswer,
  // Document 4
  user_presence: z.object({
    userId: z.string(),
    status: z.enum(['online', 'offline']),
    timestamp: Timestamp,
  }),
  typing_indicator: z.object({
    room: z.string(),
    discussionId: z.string().optional(),
    userId: z.string(),
    username: z.string(),
    isTyping: z.boolean(),
  }),
  // Document 5
  messageReceived: z.object({
    success: z.literal(true),
    message: z.string(),
    data: z.object({ receivedMessage: z.json(), timestamp: Timestamp }),
  }),
} as const satisfies Record<string, z.ZodType>;

export type ServerEventName = keyof typeof SERVER_EVENTS;
export type ServerPayload<E extends ServerEventName> = z.input<(typeof SERVER_EVENTS)[E]>;

/** The ack's data of an event that others receive: did it reach the cluster, or only this node? */
export interface Delivered {
  scope: 'cluster' | 'local';
}

/** An answered ack: the payload of the reply event, or why not. */
export type Ack<T> = { data: T; error?: undefined } | { error: ErrorBody; data?: undefined };
