import { z } from 'zod';
import {
  Command,
  Namespace,
  RESERVED_EVENTS,
  type CommandInput,
  type Outcome,
} from '@streamgate/protocol/commands';
import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import { DEPTH_MAX, isDeeperThan } from '@streamgate/protocol/json-depth';
import { RoomName } from '@streamgate/protocol/rooms';
import type { Backplane, Relocation } from '../backplane/backplane.js';
import { metrics } from '../ops/metrics.js';
import { decideRelocation } from '../rooms/access.js';

/** A command that may be executed. */
interface Accepted {
  readonly command: Command;
  /** Whom it moves, when it does. */
  readonly relocation: Relocation | undefined;
}

/** Executes what services ask for, whichever door it came through. */
export class Executor {
  constructor(private readonly backplane: Backplane) {}

  /**
   * Validates and authorises only. Doors decide who may come in; here what nobody may.
   * @throws GatewayError `unknown_namespace`, `reserved_event`, `invalid_payload`, `room_forbidden`
   */
  check(input: CommandInput): void {
    try {
      accepted(input);
    } catch (thrown) {
      throw counted(thrown);
    }
  }

  /**
   * Validates, authorises and acts.
   * @throws GatewayError as `check`, and `backplane_unavailable`
   */
  async execute(input: CommandInput): Promise<Outcome> {
    try {
      const outcome = await this.act(accepted(input));
      metrics.commands.add('done');
      return outcome;
    } catch (thrown) {
      throw counted(thrown);
    }
  }

  private async act({ command, relocation }: Accepted): Promise<Outcome> {
    if (relocation) await this.relocate(relocation);
    if (command.action !== 'emit') return { outcome: 'done', inboxed: 0 };
    const { nsp: namespace, to, except, event, args, volatile } = command;
    const publication = { namespace, to, except, event, args, volatile };
    const id = await this.backplane.publish(publication);
    return { outcome: 'done', inboxed: 0, ...(id !== undefined && { id }) };
  }

  /** Held first, so that a session that connects meanwhile finds the room in the registry. */
  private async relocate(relocation: Relocation): Promise<void> {
    const { namespace, action, users, room } = relocation;
    const { registry } = this.backplane;
    if (action === 'join') await registry.hold(namespace, users, room);
    else await registry.release(namespace, users, room);
    await this.backplane.relocate(relocation);
  }
}

function counted(thrown: unknown): GatewayError {
  const error = toGatewayError(thrown);
  metrics.commands.add(error.code);
  return error;
}

/** What stands against a command as it came in, or undefined. */
type Check = (input: CommandInput) => GatewayError | undefined;

/** In this order; the first that objects decides the code of the refusal. */
const CHECKS: readonly Check[] = [knownNamespace, unreservedEvent, shallowEnough];

/** @throws GatewayError the first objection */
function accepted(input: CommandInput): Accepted {
  for (const check of CHECKS) {
    const objection = check(input);
    if (objection) throw objection;
  }
  const parsed = Command.safeParse(input);
  if (!parsed.success) throw new GatewayError('invalid_payload', firstIssue(parsed.error));
  const relocation = relocationOf(parsed.data);
  if (relocation && decideRelocation(relocation.room) === 'forbidden')
    throw new GatewayError('room_forbidden');
  return { command: parsed.data, relocation };
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

function firstIssue(error: z.ZodError): string | undefined {
  const [issue] = error.issues;
  return issue && `${issue.path.join('.')}: ${issue.message}`;
}

const USER = 'user:';
const RELOCATING = { 'join:room': 'join', 'leave:room': 'leave' } as const;
const RoomArgument = z.object({ room: RoomName });

/**
 * Whom a command moves: `join` and `leave` do, and so do document 1's events `join:room` and
 * `leave:room` the users that they are addressed to.
 * @throws GatewayError `invalid_payload` when such an event names no room
 */
function relocationOf(command: Command): Relocation | undefined {
  if (command.action === 'disconnect') return undefined;
  if (command.action !== 'emit') {
    const { action, nsp: namespace, users, room } = command;
    return { namespace, action, users, room };
  }
  const { nsp: namespace, to, event, args } = command;
  if (event !== 'join:room' && event !== 'leave:room') return undefined;
  if (to === '*') return undefined;
  const users = to.filter((room) => room.startsWith(USER)).map((room) => room.slice(USER.length));
  if (users.length === 0) return undefined;
  const argument = RoomArgument.safeParse(args[0]);
  if (!argument.success) throw new GatewayError('invalid_payload', `${event} needs a room`);
  return { namespace, action: RELOCATING[event], users, room: argument.data.room };
}
