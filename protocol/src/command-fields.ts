import { userOfRoom, type CommandInput } from './commands.js';
import { GatewayError } from './errors.js';

/** The fields of the stream contract, in the order of its table. */
export const COMMAND_FIELDS = [
  'to',
  'except',
  'event',
  'data',
  'action',
  'source',
  'id',
  'key',
  'ttl',
  'durable',
  'volatile',
  'receipt',
  'nsp',
  'traceparent',
  'tracestate',
] as const;
export type CommandField = (typeof COMMAND_FIELDS)[number];

/**
 * A command as the fields of the contract in JSON, the form of REST and Kafka: `to` a room name, a
 * list or `*`; `durable` and `volatile` booleans or 1 and 0; `data` any JSON, absent = no argument.
 */
export type CommandFields = { [F in CommandField]?: unknown };

const KNOWN: ReadonlySet<string> = new Set(COMMAND_FIELDS);

/**
 * Translates, no more: what the values may be is for `parseCommand` to say.
 * @throws GatewayError `unknown_field`, `unknown_action`, `invalid_to` for a join, leave or
 *   disconnect to other than users, `invalid_payload` for what is no object
 */
export function commandOfFields(fields: unknown): CommandInput {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
    throw new GatewayError('invalid_payload', 'A command is a JSON object');
  if (!Object.keys(fields).every((name) => KNOWN.has(name)))
    throw new GatewayError('unknown_field');
  const {
    to,
    except,
    event,
    data,
    action = 'emit',
    durable,
    volatile,
    ...rest
  } = fields as CommandFields;
  switch (action) {
    case 'emit':
      return {
        ...rest,
        action,
        to: to === '*' ? to : listOf(to),
        ...(except !== undefined && { except: listOf(except) }),
        event,
        args: data === undefined ? [] : [data],
        ...(durable !== undefined && { durable: flagOf(durable) }),
        ...(volatile !== undefined && { volatile: flagOf(volatile) }),
      } as CommandInput;
    case 'join':
    case 'leave':
      return { ...rest, action, users: usersOf(to), room: objectOf(data)['room'] } as CommandInput;
    case 'disconnect': {
      const { reason, code, revoke } = objectOf(data);
      return {
        ...rest,
        action,
        users: usersOf(to),
        ...(reason !== undefined && { reason }),
        ...(code !== undefined && { code }),
        ...(revoke !== undefined && { revoke }),
      } as CommandInput;
    }
    default:
      throw new GatewayError('unknown_action');
  }
}

/**
 * The fields of a command; the way back gives an equal command.
 * @throws GatewayError `invalid_payload` for an event with several arguments: `data` is one
 */
export function fieldsOfCommand(input: CommandInput): CommandFields {
  if (input.action === 'emit') {
    const { to, except = [], args, action: _, durable = false, volatile = false, ...rest } = input;
    if (args.length > 1) throw new GatewayError('invalid_payload', 'data is one argument');
    return {
      ...rest,
      to: singleOf(to),
      ...(except.length > 0 && { except }),
      ...(args.length === 1 && { data: args[0] }),
      ...(durable && { durable }),
      ...(volatile && { volatile }),
    };
  }
  if (input.action === 'disconnect') {
    const { users, reason, code, revoke, ...rest } = input;
    return { ...rest, to: roomsOf(users), data: { reason, code, revoke } };
  }
  const { users, room, ...rest } = input;
  return { ...rest, to: roomsOf(users), data: { room } };
}

function listOf(value: unknown): unknown {
  return typeof value === 'string' ? [value] : value;
}

function singleOf(to: '*' | readonly string[]): string | readonly string[] {
  return to.length === 1 ? to[0]! : to;
}

function flagOf(value: unknown): unknown {
  if (value === 1 || value === '1') return true;
  return value === 0 || value === '0' ? false : value;
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function usersOf(to: unknown): string[] {
  const rooms = listOf(to);
  const users = Array.isArray(rooms) ? rooms.map(userOfRoom) : [undefined];
  if (users.includes(undefined))
    throw new GatewayError('invalid_to', 'Address users, by their user: rooms');
  return users as string[];
}

function roomsOf(users: readonly (string | number)[]): string | readonly string[] {
  return singleOf(users.map((user) => `user:${user}`));
}
