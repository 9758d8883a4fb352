import { z } from 'zod';
import { commandOfFields, unknownField } from '@streamgate/protocol/command-fields';
import { UserId, type CommandInput } from '@streamgate/protocol/commands';
import { GatewayError } from '@streamgate/protocol/errors';
import { userRoom } from '@streamgate/protocol/rooms';

/** Document 1's four patterns; as Kafka topics they have dots for colons. */
export const PATTERNS = ['ws:emit:user', 'ws:emit:users', 'ws:broadcast', 'ws:emit:room'] as const;
export type Pattern = (typeof PATTERNS)[number];

const ToUser = z.looseObject({ userId: UserId }).transform(({ userId, ...rest }) => ({
  ...rest,
  to: userRoom(userId),
}));
const ToUsers = z.looseObject({ userIds: z.array(UserId) }).transform(({ userIds, ...rest }) => ({
  ...rest,
  to: userIds.map(userRoom),
}));
const ToRoom = z.looseObject({ room: z.string() }).transform(({ room, ...rest }) => ({
  ...rest,
  to: [room],
}));
const ToEveryone = z.looseObject({}).transform((rest) => ({ ...rest, to: '*' }));

const PAYLOADS: Record<Pattern, z.ZodType<object>> = {
  'ws:emit:user': ToUser,
  'ws:emit:users': ToUsers,
  'ws:broadcast': ToEveryone,
  'ws:emit:room': ToRoom,
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
