import { z } from 'zod';
import { commandOfFields, unknownField } from './command-fields.js';
import { UserId, type CommandInput } from './commands.js';
import { GatewayError } from './errors.js';
import { userRoom } from './rooms.js';

/** Document 1's four patterns; as Kafka topics they have dots for colons. */
export const PATTERNS = ['ws:emit:user', 'ws:emit:users', 'ws:broadcast', 'ws:emit:room'] as const;
export type Pattern = (typeof PATTERNS)[number];

const ToUser = z.looseObject({
  userId: UserId.meta({ description: 'Who is to hear it, on every device' }),
});
const ToUsers = z.looseObject({
  userIds: z.array(UserId).meta({ description: 'Who are to hear it, each of them once' }),
});
const ToRoom = z.looseObject({
  room: z.string().meta({ description: 'Whose sessions are to hear it' }),
});
const ToEveryone = z.looseObject({});

/** How each pattern says whom it addresses; what else it may carry are fields of a command. */
export const ADDRESSES = {
  'ws:emit:user': ToUser,
  'ws:emit:users': ToUsers,
  'ws:broadcast': ToEveryone,
  'ws:emit:room': ToRoom,
} as const satisfies Record<Pattern, z.ZodObject>;

const PAYLOADS: Record<Pattern, z.ZodType<object>> = {
  'ws:emit:user': ToUser.transform(({ userId, ...rest }) => ({ ...rest, to: userRoom(userId) })),
  'ws:emit:users': ToUsers.transform(({ userIds, ...rest }) => ({
    ...rest,
    to: userIds.map(userRoom),
  })),
  'ws:broadcast': ToEveryone.transform((rest) => ({ ...rest, to: '*' })),
  'ws:emit:room': ToRoom.transform(({ room, ...rest }) => ({ ...rest, to: [room] })),
};

/**
 * A message of document 1 -> a command, not yet validated. It says in its own words whom it
 * addresses; beside `event` and `data` it may carry any further field of the contract.
 * @throws GatewayError `invalid_payload`, `unknown_field`
 */
export function commandOfPattern(pattern: Pattern, payload: unknown): CommandInput {
  const parsed = PAYLOADS[pattern].safeParse(payload);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new GatewayError(
      'invalid_payload',
      issue && [issue.path[0], issue.message].filter((part) => part !== undefined).join(': '),
    );
  }
  const other = ['to', 'action'].find((name) => Object.hasOwn(Object(payload) as object, name));
  if (other !== undefined) throw unknownField(other, `${pattern} says it itself`);
  return commandOfFields(parsed.data);
}
