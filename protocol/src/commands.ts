import { z } from 'zod';
import { RoomName } from './rooms.js';

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

const Emit = z.object({
  action: z.literal('emit'),
  nsp: Namespace.default('/'),
  to: Target,
  /** Rooms whose sessions are left out. */
  except: z.array(RoomName).max(10_000).default([]),
  event: EventName,
  /** Arguments of the event, passed as sent. */
  args: z.array(z.unknown()).max(10),
  /** A session that is not ready may miss it. */
  volatile: z.boolean().default(false),
});

const Join = z.object({
  action: z.literal('join'),
  nsp: Namespace.default('/'),
  users: z.array(UserId).min(1).max(10_000),
  room: RoomName,
});

const Leave = Join.extend({ action: z.literal('leave') });

/** What a service asks for, whichever door it came through. */
export const Command = z.discriminatedUnion('action', [Emit, Join, Leave]);
export type Command = z.output<typeof Command>;
export type CommandInput = z.input<typeof Command>;

/** What became of a command. A refusal is thrown as a `GatewayError`. */
export interface Outcome {
  /** Id that the backplane gave the event, when it gives ids. */
  readonly id: string | undefined;
}
