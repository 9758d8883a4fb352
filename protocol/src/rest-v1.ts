import { z } from 'zod';
import { CommandJson, field } from './command-json.js';
import { Namespace } from './commands.js';
import type { ErrorCode } from './errors.js';
import { User } from './principal.js';
import { NextCursor, Page, type Operation } from './rest-operation.js';
import { RoomName } from './rooms.js';
import { Timestamp } from './server-events.js';

/** Commands in one batch at most. */
export const BATCH_MAX = 1000;

const CommandBody = CommandJson.extend({
  source: field('Name of the service, scope of its ids; your user id when absent'),
  id: field('Executed once under this id; unset: the header `Idempotency-Key`, if any'),
}).meta({
  id: 'CommandBody',
  examples: [
    { to: 'user:42', event: 'quiz:created', data: { quizId: 7 }, durable: true },
    { to: ['course:1', 'role:teacher'], event: 'course_update', data: { title: 'News' } },
    { action: 'join', to: 'user:42', data: { room: 'quiz:7' } },
    {
      action: 'disconnect',
      to: 'user:42',
      data: { code: 'banned', reason: 'Your account was closed', revoke: 3600 },
    },
  ],
});

export const OutcomeAnswer = z
  .object({
    outcome: z.enum(['done', 'duplicate', 'expired']).meta({
      description: '`duplicate`: executed before under this id; `expired`: its `ttl` had passed',
    }),
    sessions: z.int().optional().meta({
      description: 'Sessions of the addressed users, on all nodes; absent when it is not known',
    }),
    inboxed: z.int().meta({ description: 'Inboxes that it was stored in' }),
  })
  .meta({ id: 'OutcomeAnswer', examples: [{ outcome: 'done', sessions: 2, inboxed: 0 }] });

const RefusalAnswer = z
  .object({
    error: z.object({
      message: z.string(),
      code: z.string() as unknown as z.ZodType<ErrorCode>,
      retryable: z.boolean(),
      retryAfterMs: z.number().optional(),
    }),
  })
  .meta({ id: 'RefusalAnswer' });

const BatchBody = z.object({ commands: z.array(CommandBody).min(1).max(BATCH_MAX) }).meta({
  id: 'BatchBody',
  examples: [
    {
      commands: [
        { to: 'user:42', event: 'a', data: 1 },
        { to: 'user:7', event: 'a', data: 2 },
      ],
    },
  ],
});
const BatchAnswer = z
  .object({
    outcomes: z
      .array(z.union([OutcomeAnswer, RefusalAnswer]))
      .meta({ description: 'One for each command, in their order' }),
  })
  .meta({ id: 'BatchAnswer' });

const IdempotencyKey = z.object({
  'idempotency-key': z.string().optional().meta({
    description:
      'The `id` of a command that has none: executed once for `source` and id within the window. In a batch the id is the key, `#` and the place of the command, from 0',
  }),
});

const In = z.object({
  nsp: Namespace.default('/').meta({ description: 'Namespace' }),
});
const UserParams = z.object({ userId: z.string().min(1).max(190) });
const RoomParams = z.object({ room: RoomName });

const UserAnswer = z
  .object({
    userId: z.string(),
    connected: z.boolean(),
    sessions: z.int().meta({ description: 'On all nodes; may be 0 for a moment while connected' }),
    user: User.optional(),
    connectedAt: Timestamp.optional(),
  })
  .meta({
    id: 'UserAnswer',
    examples: [{ userId: '42', connected: false, sessions: 0 }],
  });
const RoomAnswer = z
  .object({
    room: z.string(),
    sessions: z.int(),
    users: z.int(),
    members: z.array(z.object({ userId: z.string(), sessions: z.int() })),
    nextCursor: NextCursor,
  })
  .meta({
    id: 'RoomAnswer',
    examples: [{ room: 'quiz:7', sessions: 2, users: 1, members: [{ userId: '42', sessions: 2 }] }],
  });

const COMMAND_CODES: readonly ErrorCode[] = [
  'unknown_field',
  'unknown_action',
  'unknown_namespace',
  'reserved_event',
  'invalid_to',
  'invalid_ttl',
  'invalid_receipt',
  'durable_needs_users',
  'room_forbidden',
  'idempotency_conflict',
];

/** Operations that no document has: the whole contract, and who is where. */
export const V1_OPERATIONS = {
  command: {
    method: 'post',
    path: '/v1/commands',
    summary: 'Execute a command',
    permission: 'emit',
    headers: IdempotencyKey,
    body: CommandBody,
    answer: OutcomeAnswer,
    codes: COMMAND_CODES,
  },
  commands: {
    method: 'post',
    path: '/v1/commands/batch',
    summary: `Execute up to ${BATCH_MAX} commands in their order`,
    permission: 'emit',
    headers: IdempotencyKey,
    body: BatchBody,
    answer: BatchAnswer,
  },
  user: {
    method: 'get',
    path: '/v1/users/{userId}',
    summary: 'A user: whether connected, with how many sessions',
    permission: 'presence',
    params: UserParams,
    query: In,
    answer: UserAnswer,
  },
  room: {
    method: 'get',
    path: '/v1/rooms/{room}',
    summary: 'A room: how many sessions and users are in it, and who',
    permission: 'presence',
    params: RoomParams,
    query: In.extend(Page.shape),
    answer: RoomAnswer,
  },
} as const satisfies Record<string, Operation>;
