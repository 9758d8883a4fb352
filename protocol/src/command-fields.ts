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
/** Whether a command may have a field of this name. */
export function isCommandField(name: string): name is CommandField {
  return KNOWN.has(name);
}

/** Fields that say something of an event, and nothing of the other actions. */
const OF_EVENTS = ['except', 'event', 'durable', 'volatile'] as const;

/**
 * Translates, no more: what the values may be is for `parseCommand` to say. Nothing is passed over,
 * or a misspelt field would be lost.
 * @throws GatewayError `unknown_field` (of `data` too, where the action says what it holds),
 *   `unknown_action`, `invalid_to` for a join, leave or disconnect to other than users,
 *   `invalid_payload` for what is no object
 */
export function commandOfFields(fields: unknown): CommandInput {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
    throw new GatewayError('invalid_payload', 'A command is a JSON object');
  const unknown = Object.keys(fields).find((name) => !KNOWN.has(name));
  if (unknown !== undefined) throw unknownField(unknown);
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
      withoutEvent(fields);
      return { ...rest, action, users: usersOf(to), ...detailsOf(data, ['room']) } as CommandInput;
    case 'disconnect': {
      withoutEvent(fields);
      const details = detailsOf(data, ['reason', 'code', 'revoke']);
      return { ...rest, action, users: usersOf(to), ...details } as CommandInput;
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

/** Characters of a name that an error repeats; what is no printable ASCII shows as `?`. */
const NAME_SHOWN = 40;

/**
 * The refusal of a field, by its name and never its value.
 * @param why for people
 */
export function unknownField(name: string, why?: string): GatewayError {
  const printable = name.slice(0, NAME_SHOWN).replaceAll(/[^ -~]/g, '?');
  const shown = name.length > NAME_SHOWN ? `${printable}...` : printable;
  return new GatewayError('unknown_field', `Unknown field "${shown}"${why ? `: ${why}` : ''}`);
}

/** @throws GatewayError `unknown_field` */
function withoutEvent(fields: CommandFields): void {
  const name = OF_EVENTS.find((field) => fields[field] !== undefined);
  if (name !== undefined) throw unknownField(name, 'only events have it');
}

/**
 * What an action's `data` says; absent it says nothing.
 * @throws GatewayError `unknown_field`, `invalid_payload` for what is no object
 */
function detailsOf(data: unknown = {}, names: readonly string[]): Record<string, unknown> {
  if (typeof data !== 'object' || data === null || Array.isArray(data))
    throw new GatewayError('invalid_payload', 'data is a JSON object');
  const given = Object.entries(data).filter(([, value]) => value !== undefined);
  const unknown = given.find(([name]) => !names.includes(name));
  if (unknown) throw unknownField(unknown[0], `data has ${names.join(', ')}`);
  return Object.fromEntries(given);
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
