import { z } from 'zod';
import { GatewayError, type ErrorCode } from './errors.js';
import { DEPTH_MAX, isDeeperThan } from './json-depth.js';
import { RoomName, canonicalRoom, isRoomName, userRoom } from './rooms.js';

/**
 * Event names that a service may not emit: Socket.IO keeps them to itself (RESERVED_EVENTS of
 * socket.io 4.8 and the client's own), or the stock client would take them for its life cycle.
 */
export const RESERVED_EVENTS: ReadonlySet<string> = new Set([
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
]);

/** Longest event name in characters. */
export const EVENT_NAME_MAX = 200;

export const EventName = z
  .string()
  .min(1)
  .max(EVENT_NAME_MAX)
  .refine((name) => !RESERVED_EVENTS.has(name), { error: 'reserved event name' });

/** A user id in a body or payload; numbers become strings. */
export const UserId = z.union([z.string().min(1).max(190), z.number().int()]).transform(String);

/** Namespaces that exist. */
export const Namespace = z.enum(['/', '/chat']);
export type Namespace = z.infer<typeof Namespace>;

/** Rooms by name, or `*` for everyone in the namespace. */
export const Target = z.union([z.literal('*'), z.array(RoomName).min(1).max(10_000)]);
export type Target = z.infer<typeof Target>;

/** Most rooms or users that one command names. */
const ADDRESSED_MAX = 10_000;
/** Most users of a durable command: each inbox is written in the one step that executes it. */
export const DURABLE_USERS_MAX = 1000;
/** A year: what waits longer is kept elsewhere. */
const SECONDS_MAX = 31_536_000;

const Seconds = z.int().min(1).max(SECONDS_MAX);

/** Text that a service makes up: 1 to 200 bytes of printable characters. */
const Label = z
  .string()
  .refine(isRoomName, { error: 'must be 1 to 200 bytes of printable characters, not *' });

/** W3C trace context, level 1 and 2; a wrong one is ignored, as the standard wants. */
const TraceParent = z
  .string()
  .regex(/^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-|$)/)
  .max(200)
  .optional()
  .catch(undefined);
const TraceState = z.string().min(1).max(512).optional().catch(undefined);

const Addressed = z
  .array(UserId.refine((id) => isRoomName(userRoom(id)), { error: 'not a user id' }))
  .min(1)
  .max(ADDRESSED_MAX);

/** What every command has. */
const Common = z.object({
  nsp: Namespace.default('/'),
  /** Name of the emitting service: the scope of its ids. */
  source: Label.optional(),
  /** Idempotency key: executed once for a source within the window. */
  id: Label.optional(),
  /** Ordering key: commands with one key are executed in the order written. */
  key: Label.optional(),
  /** Seconds after which it is no longer worth executing. */
  ttl: Seconds.optional(),
  /** Stream that the outcome is written to. */
  receipt: Label.optional(),
  traceparent: TraceParent,
  tracestate: TraceState,
});

const Emit = Common.extend({
  action: z.literal('emit'),
  to: Target,
  /** Rooms whose sessions are left out. */
  except: z.array(RoomName).max(ADDRESSED_MAX).default([]),
  event: EventName,
  /** Arguments of the event, passed as sent. */
  args: z.array(z.unknown()).max(10),
  /** A session that is not ready may miss it. */
  volatile: z.boolean().default(false),
  /** Kept in the inbox of each addressed user until taken. */
  durable: z.boolean().default(false),
});

const Join = Common.extend({
  action: z.literal('join'),
  users: Addressed,
  room: RoomName,
});

const Leave = Join.extend({ action: z.literal('leave') });

const Disconnect = Common.extend({
  action: z.literal('disconnect'),
  users: Addressed,
  /** For people; shown to the client. */
  reason: z.string().min(1).max(500).optional(),
  /** For programs; the client's `error` event carries it. */
  code: z
    .string()
    .regex(/^[\w.:-]{1,100}$/)
    .optional(),
  /** Seconds for which tokens issued before now are refused. */
  revoke: Seconds.optional(),
});

/** What a service asks for, whichever door it came through. */
export const Command = z.discriminatedUnion('action', [Emit, Join, Leave, Disconnect]);
export type Command = z.output<typeof Command>;
export type CommandInput = z.input<typeof Command>;

/** What became of a command. A refusal is a `GatewayError`. */
export interface Outcome {
  /** `duplicate`: executed before under this id; `expired`: its `ttl` had passed. */
  readonly outcome: 'done' | 'duplicate' | 'expired';
  /** Sessions of the addressed users, cluster-wide, when asked for and known. */
  readonly sessions?: number;
  /** Inboxes that it was stored in. */
  readonly inboxed: number;
}

/** What stands against a command as it came in, or undefined. */
type Check = (input: CommandInput) => GatewayError | undefined;

/** In this order; the first that objects decides the code of the refusal. */
const CHECKS: readonly Check[] = [
  knownAction,
  knownNamespace,
  unreservedEvent,
  shallowEnough,
  durableToUsers,
];

/**
 * Everything that can be said of a command without knowing who sends it.
 * @throws GatewayError `unknown_action`, `unknown_namespace`, `reserved_event`, `invalid_to`,
 *   `invalid_ttl`, `invalid_receipt`, `durable_needs_users`, `invalid_payload`
 */
export function parseCommand(input: CommandInput): Command {
  const plain = plainEmit(input);
  if (plain) return plain;
  for (const check of CHECKS) {
    const objection = check(input);
    if (objection) throw objection;
  }
  const parsed = Command.safeParse(input);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path ?? [];
  throw new GatewayError(
    CODES[String(path[0])] ?? 'invalid_payload',
    issue && `${path.join('.')}: ${issue.message}`,
  );
}

/** Fields of an event that has nothing special. */
const PLAIN: ReadonlySet<string> = new Set(['action', 'to', 'event', 'args']);

/**
 * What the schema makes of an event that has nothing special, as most have, at a tenth of the cost;
 * undefined: the schema is to be asked.
 */
export function plainEmit(input: CommandInput): Command | undefined {
  for (const name of Object.keys(input)) if (!PLAIN.has(name)) return undefined;
  const { action, to: rooms, event, args } = input as Readonly<Record<string, unknown>>;
  if (action !== 'emit' || typeof event !== 'string' || RESERVED_EVENTS.has(event))
    return undefined;
  if (event.length === 0 || event.length > EVENT_NAME_MAX) return undefined;
  if (!Array.isArray(args) || args.length > 1 || isDeeperThan(args, DEPTH_MAX + 1))
    return undefined;
  const to = rooms === '*' ? rooms : plainRooms(rooms);
  if (!to) return undefined;
  return {
    nsp: '/',
    action,
    to,
    except: [],
    event,
    args: [...args],
    volatile: false,
    durable: false,
  };
}

function plainRooms(rooms: unknown): string[] | undefined {
  if (!Array.isArray(rooms) || rooms.length !== 1) return undefined;
  const [room] = rooms as [unknown];
  return typeof room === 'string' && isRoomName(room) ? [canonicalRoom(room)] : undefined;
}

/** Codes of fields that have their own. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  to: 'invalid_to',
  except: 'invalid_to',
  users: 'invalid_to',
  ttl: 'invalid_ttl',
  receipt: 'invalid_receipt',
};

const ACTIONS: ReadonlySet<unknown> = new Set(['emit', 'join', 'leave', 'disconnect']);

function knownAction({ action }: CommandInput): GatewayError | undefined {
  return ACTIONS.has(action) ? undefined : new GatewayError('unknown_action');
}

function knownNamespace({ nsp = '/' }: CommandInput): GatewayError | undefined {
  return Namespace.safeParse(nsp).success ? undefined : new GatewayError('unknown_namespace');
}

function unreservedEvent(input: CommandInput): GatewayError | undefined {
  return input.action === 'emit' && RESERVED_EVENTS.has(input.event)
    ? new GatewayError('reserved_event')
    : undefined;
}

function shallowEnough(input: CommandInput): GatewayError | undefined {
  // One more level: the list of arguments itself.
  return input.action === 'emit' && isDeeperThan(input.args, DEPTH_MAX + 1)
    ? new GatewayError('invalid_payload', `JSON is nested deeper than ${DEPTH_MAX} levels`)
    : undefined;
}

function durableToUsers(input: CommandInput): GatewayError | undefined {
  if (input.action !== 'emit' || input.durable !== true) return undefined;
  if (input.volatile === true)
    return new GatewayError('invalid_payload', 'durable and volatile exclude each other');
  const { to, except = [] } = input;
  const users = Array.isArray(to) && to.every((room) => userOfRoom(room) !== undefined);
  if (!users) return new GatewayError('durable_needs_users');
  if (to.length > DURABLE_USERS_MAX)
    return new GatewayError('invalid_to', `to: at most ${DURABLE_USERS_MAX} users when durable`);
  return except.length === 0
    ? undefined
    : new GatewayError('invalid_payload', 'durable and except exclude each other');
}

/** The user whose room this is, or undefined. */
export function userOfRoom(room: unknown): string | undefined {
  const isUser = typeof room === 'string' && room.startsWith('user:') && room.length > 5;
  return isUser ? room.slice(5) : undefined;
}
