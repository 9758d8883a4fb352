import { z } from 'zod';
import {
  type Command,
  type CommandInput,
  parseCommand,
  userOfRoom,
} from '@streamgate/protocol/commands';
import { GatewayError } from '@streamgate/protocol/errors';
import { type Principal, hasRole } from '@streamgate/protocol/principal';
import { RoomName } from '@streamgate/protocol/rooms';
import { streamNames } from '@streamgate/protocol/stream';
import type { Act, Relocation } from '../backplane/backplane.js';
import type { Origin } from '../backplane/origin.js';
import type { Config } from '../config.js';
import { keptAct } from '../inbox/inbox.js';
import { decideRelocation } from '../rooms/access.js';

/** Who asks: through which door and, where a door knows its callers, with whose token. */
export interface Caller {
  readonly door: 'http' | 'tcp' | 'stream' | 'kafka';
  readonly principal?: Principal;
}

export type Rules = Pick<Config, 'emitRoles' | 'inboxAck' | 'redisPrefix'>;

/** A command that may be executed. */
export interface Accepted {
  readonly command: Command;
  /** Whom it moves, when it does. */
  readonly relocation: Relocation | undefined;
  /** The users that it addresses, undefined when it addresses others too. */
  readonly users: readonly string[] | undefined;
}

/** What stands against a command, or undefined. */
type Objection = (accepted: Accepted, caller: Caller, rules: Rules) => GatewayError | undefined;

/** In this order; the first that objects decides the code of the refusal. */
const OBJECTIONS: readonly Objection[] = [callerMayEmit, roomMayBeMoved, receiptIsOurs];

/**
 * Validates and authorises.
 * @throws GatewayError as `parseCommand`, and `forbidden`, `room_forbidden`, `invalid_receipt`
 */
export function accept(input: CommandInput, caller: Caller, rules: Rules): Accepted {
  const command = parseCommand(input);
  const accepted = { command, relocation: relocationOf(command), users: usersOf(command) };
  for (const objection of OBJECTIONS) {
    const error = objection(accepted, caller, rules);
    if (error) throw error;
  }
  return accepted;
}

/** Who reaches the other doors is trusted; who comes with a token needs a role. */
function callerMayEmit(_: Accepted, { principal }: Caller, { emitRoles }: Rules) {
  return principal && !hasRole(principal, emitRoles) ? new GatewayError('forbidden') : undefined;
}

function roomMayBeMoved({ relocation }: Accepted) {
  return relocation && decideRelocation(relocation.room) === 'forbidden'
    ? new GatewayError('room_forbidden')
    : undefined;
}

function receiptIsOurs({ command: { receipt } }: Accepted, _: Caller, { redisPrefix }: Rules) {
  return receipt !== undefined && !isReceiptStream(receipt, redisPrefix)
    ? new GatewayError('invalid_receipt', `A receipt stream begins with ${receiptsOf(redisPrefix)}`)
    : undefined;
}

/** Whether an outcome may be written there: no command writes to any other name in Redis. */
export function isReceiptStream(name: string, redisPrefix: string): boolean {
  const receipts = receiptsOf(redisPrefix);
  return name.length > receipts.length && name.startsWith(receipts);
}

function receiptsOf(redisPrefix: string): string {
  return streamNames(redisPrefix).receipts;
}

const RELOCATING: Readonly<Record<string, 'join' | 'leave'>> = {
  'join:room': 'join',
  'leave:room': 'leave',
};
const RoomArgument = z.object({ room: RoomName });

/**
 * Whom a command moves: `join` and `leave` do, and so do document 1's events `join:room` and
 * `leave:room` the users that they are addressed to.
 * @throws GatewayError `invalid_payload` when such an event names no room
 */
function relocationOf(command: Command): Relocation | undefined {
  const { nsp: namespace, action } = command;
  if (action === 'disconnect') return undefined;
  if (action !== 'emit') return { namespace, action, users: command.users, room: command.room };
  const { to, event, args } = command;
  const moves = Object.hasOwn(RELOCATING, event) ? RELOCATING[event] : undefined;
  if (moves === undefined || to === '*') return undefined;
  const users = to.map(userOfRoom).filter((user) => user !== undefined);
  if (users.length === 0) return undefined;
  const argument = RoomArgument.safeParse(args[0]);
  if (!argument.success) throw new GatewayError('invalid_payload', `${event} needs a room`);
  return { namespace, action: moves, users, room: argument.data.room };
}

function usersOf(command: Command): readonly string[] | undefined {
  if (command.action !== 'emit') return command.users;
  if (command.to === '*') return undefined;
  const users = command.to.map(userOfRoom);
  return users.includes(undefined) ? undefined : (users as string[]);
}

/**
 * @param tag names the event in the inboxes, when it is kept in any
 * @param origin where the events of it come from, and when the service asked
 */
export function actsOf(
  accepted: Accepted,
  tag: string | undefined,
  origin: Origin,
  rules: Rules,
): Act[] {
  const { command, relocation } = accepted;
  const moves = relocation ? [relocation] : [];
  const { nsp: namespace } = command;
  if (command.action === 'disconnect') {
    const { users, code, reason } = command;
    const body = {
      kind: 'disconnect',
      users,
      ...(code !== undefined && { code }),
      ...(reason !== undefined && { reason }),
    } as const;
    // To all nodes: a session that is being opened has no rooms yet that its node is known by.
    return [{ namespace, to: 'nodes', body }, ...revocationOf(accepted, origin.written)];
  }
  if (command.action !== 'emit') return moves;
  const { to, except, event, args, volatile } = command;
  const publication = { namespace, to, except, event, args, volatile, origin };
  if (tag === undefined) return [...moves, publication];
  return [...moves, keptAct(rules, { ...publication, tag }, usersOf(command) ?? [])];
}

/** Behind the disconnect, whose reason the client is to hear. */
function revocationOf({ command }: Accepted, writtenAt: number): Act[] {
  if (command.action !== 'disconnect' || command.revoke === undefined) return [];
  const { nsp: namespace, users, revoke } = command;
  const until = Date.now() + revoke * 1000;
  const body = { kind: 'revoked', users, issuedUntil: writtenAt, until } as const;
  return [{ namespace, to: 'nodes', body }];
}
