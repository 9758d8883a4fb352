import { z } from 'zod';
import { TEXT_MAX } from './client-events.js';
import { EVENT_NAME_MAX, UserId } from './commands.js';
import type { ErrorCode } from './errors.js';
import { NextCursor, Page, type Operation } from './rest-operation.js';
import { CHAT_OPERATIONS } from './rest-chat.js';
import { V1_OPERATIONS } from './rest-v1.js';
import { isRoomName, roleRoom, userRoom } from './rooms.js';
import { ActiveUsers, UsersStats } from './server-events.js';

const Id = UserId.refine((id) => isRoomName(userRoom(id)), { error: 'not a user id' }).meta({
  description: 'User id as in the token; numbers become strings',
  examples: ['507f1f77bcf86cd799439011'],
});
const Role = z
  .string()
  .min(1)
  .max(190)
  .refine((role) => isRoomName(roleRoom(role)), { error: 'not a role' })
  .meta({ description: 'Exactly as spelled in the tokens' });
const Text = z.string().min(1).max(TEXT_MAX);
const Kind = z.string().min(1).max(100).default('info');
// Reserved names are the executor's to refuse, with their own code.
const Event = z.string().min(1).max(EVENT_NAME_MAX);
const Message = z.unknown().meta({ description: 'Any JSON; arrives as sent' });

const NotificationBody = z
  .object({ userId: Id, message: Text, type: Kind })
  .meta({ id: 'NotificationBody', examples: [{ userId: '42', message: 'Your report is ready' }] });
const BroadcastBody = z.object({ message: Text, type: Kind }).meta({
  id: 'BroadcastBody',
  examples: [{ message: 'Maintenance in 10 minutes', type: 'warning' }],
});
const RoleBody = z
  .object({
    role: Role,
    message: Text,
    type: Kind,
  })
  .meta({ id: 'RoleBody', examples: [{ role: 'teacher', message: 'Grades are due' }] });
const SendBody = z.object({ userId: Id, event: Event, message: Message }).meta({
  id: 'SendBody',
  examples: [
    {
      userId: '507f1f77bcf86cd799439011',
      event: 'notification',
      message: { title: 'New Message', body: 'You have a new message' },
    },
  ],
});
const SendManyBody = z
  .object({ userIds: z.array(Id).min(1).max(10_000), event: Event, message: Message })
  .meta({
    id: 'SendManyBody',
    examples: [
      {
        userIds: ['507f1f77bcf86cd799439011', '507f1f77bcf86cd799439012'],
        event: 'announcement',
        message: { title: 'System Announcement', body: 'Scheduled maintenance tonight' },
      },
    ],
  });

const UserParams = z.object({
  userId: z
    .string()
    .min(1)
    .max(190)
    .meta({ examples: ['42'] }),
});

const Count = z.int().meta({ description: 'All connected users, not only those of this page' });

const Answer = z
  .object({
    success: z.boolean().meta({ description: 'False when nobody addressed is connected' }),
    message: z.string(),
  })
  .meta({
    id: 'Answer',
    examples: [{ success: true, message: 'Message sent to user 507f1f77bcf86cd799439011' }],
  });
const SendManyAnswer = Answer.extend({
  userIds: z.array(z.string()).meta({ description: 'Those connected' }),
  notConnected: z.array(z.string()),
}).meta({
  id: 'SendManyAnswer',
  examples: [
    { success: true, message: 'Message sent to 1 users', userIds: ['42'], notConnected: ['7'] },
  ],
});
const ActiveUsersAnswer = ActiveUsers.extend({
  stats: UsersStats.omit({ nextCursor: true }),
}).meta({ id: 'ActiveUsersAnswer' });
const UsersStatsAnswer = UsersStats.meta({ id: 'UsersStatsAnswer' });
const StatusAnswer = z
  .object({ userId: z.string(), connected: z.boolean() })
  .meta({ id: 'StatusAnswer', examples: [{ userId: '42', connected: true }] });
const ConnectedAnswer = z
  .object({ connectedUsers: z.array(z.string()), count: Count, nextCursor: NextCursor })
  .meta({ id: 'ConnectedAnswer', examples: [{ connectedUsers: ['42', '7'], count: 2 }] });
const StatsAnswer = z
  .object({ connectedUsers: Count, userIds: z.array(z.string()), nextCursor: NextCursor })
  .meta({ id: 'StatsAnswer', examples: [{ connectedUsers: 2, userIds: ['42', '7'] }] });

const EVENT_CODES: readonly ErrorCode[] = ['reserved_event', 'room_forbidden'];

/** Operations of documents 3 and 5. POSTs answer 200, also with `success: false`. */
const DOCUMENT_OPERATIONS = {
  activeUsers: {
    method: 'get',
    path: '/websocket/active-users',
    summary: 'Connected users and statistics',
    permission: 'presence',
    query: Page,
    answer: ActiveUsersAnswer,
  },
  usersStats: {
    method: 'get',
    path: '/websocket/users-stats',
    summary: 'Statistics of connected users',
    permission: 'presence',
    query: Page,
    answer: UsersStatsAnswer,
  },
  sendNotification: {
    method: 'post',
    path: '/websocket/send-notification',
    summary: 'Send `notification` to one user',
    permission: 'emit',
    body: NotificationBody,
    answer: Answer,
  },
  broadcast: {
    method: 'post',
    path: '/websocket/broadcast',
    summary: 'Send `broadcast-notification` to everyone',
    permission: 'emit',
    body: BroadcastBody,
    answer: Answer,
  },
  sendToRole: {
    method: 'post',
    path: '/websocket/send-to-role',
    summary: 'Send `role-notification` to the users with a role',
    permission: 'emit',
    body: RoleBody,
    answer: Answer,
  },
  send: {
    method: 'post',
    path: '/api/gateway/send',
    summary: 'Send any event to one user',
    permission: 'emit',
    body: SendBody,
    answer: Answer,
    codes: EVENT_CODES,
  },
  sendMany: {
    method: 'post',
    path: '/api/gateway/send-many',
    summary: 'Send any event to several users',
    permission: 'emit',
    body: SendManyBody,
    answer: SendManyAnswer,
    codes: EVENT_CODES,
  },
  status: {
    method: 'get',
    path: '/api/gateway/status/{userId}',
    summary: 'Whether a user is connected',
    permission: 'presence',
    params: UserParams,
    answer: StatusAnswer,
  },
  connected: {
    method: 'get',
    path: '/api/gateway/connected',
    summary: 'Ids of connected users',
    permission: 'presence',
    query: Page,
    answer: ConnectedAnswer,
  },
  stats: {
    method: 'get',
    path: '/api/gateway/stats',
    summary: 'Count and ids of connected users',
    permission: 'presence',
    query: Page,
    answer: StatsAnswer,
  },
} as const satisfies Record<string, Operation>;

/**
 * The REST door: every operation with its path, bodies and answers. The controllers validate with
 * these schemas and `/openapi.json` is made from them.
 */
export const OPERATIONS = { ...DOCUMENT_OPERATIONS, ...V1_OPERATIONS, ...CHAT_OPERATIONS };

export type OperationName = keyof typeof OPERATIONS;

/** The request body of an operation after its schema. */
export type BodyOf<N extends OperationName> = (typeof OPERATIONS)[N] extends {
  body: infer S extends z.ZodType;
}
  ? z.output<S>
  : never;

/** The path parameters of an operation after their schema. */
export type ParamsOf<N extends OperationName> = (typeof OPERATIONS)[N] extends {
  params: infer S extends z.ZodType;
}
  ? z.output<S>
  : never;

/** What an operation answers with 200. */
export type AnswerOf<N extends OperationName> = z.output<(typeof OPERATIONS)[N]['answer']>;

/** The query of an operation after its schema. */
export type QueryOf<N extends OperationName> = (typeof OPERATIONS)[N] extends {
  query: infer S extends z.ZodType;
}
  ? z.output<S>
  : never;

/** Every failure of the REST door: a problem document (RFC 9457) with the catalogue's fields. */
export const Problem = z
  .object({
    type: z.string().meta({ description: '`urn:streamgate:problem:<code>`' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string() as unknown as z.ZodType<ErrorCode>,
    message: z.string().meta({ description: 'The same as `detail`' }),
    retryable: z.boolean().meta({ description: 'The same request may succeed later' }),
    retryAfterMs: z.int().optional().meta({ description: 'Milliseconds to wait, when known' }),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .meta({ description: 'What is wrong where; never repeats a value' }),
  })
  .meta({
    id: 'Problem',
    examples: [
      {
        type: 'urn:streamgate:problem:forbidden',
        title: 'Not allowed',
        status: 403,
        detail: 'Not allowed',
        code: 'forbidden',
        message: 'Not allowed',
        retryable: false,
      },
    ],
  });
export type Problem = z.infer<typeof Problem>;
