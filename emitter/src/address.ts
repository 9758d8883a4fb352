import type { CommandFields } from '@streamgate/protocol/command-fields';
import type { Namespace } from '@streamgate/protocol/commands';
import { roleRoom, userRoom } from '@streamgate/protocol/rooms';
import type { Delivery } from './receipts.js';

/** A command that Redis has. */
export interface Written {
  /** The command's id. */
  readonly id: string;
  /** Id of its entry in the stream. */
  readonly entry: string;
}

/** The arguments behind an event's name: typed for the events that are known, free for the others. */
export type Payload<Events, E extends string> = E extends keyof Events
  ? undefined extends Events[E]
    ? [data?: Events[E]]
    : [data: Events[E]]
  : [data?: unknown];

export interface ReceiptOptions {
  /** How long to wait for the receipt once the command is written. */
  readonly timeoutMs?: number;
}

/** Sends a command in the fields of the contract. */
export type Send = (fields: CommandFields, receipt?: ReceiptOptions) => Promise<Written | Delivery>;

/**
 * Whom a command addresses, and how. Every step gives a new one, so that an address may be kept and
 * used again. What is wrong with a command rejects the promise of `emit`, `join`, `leave` or
 * `disconnect`.
 * @typeParam Answer what that promise gives: `Written`, or after `receipt()` the `Delivery`
 */
export class Address<Events extends object, Answer extends Written = Written> {
  constructor(
    private readonly send: Send,
    private readonly fields: CommandFields,
    private readonly rooms: readonly string[] = [],
    private readonly left: readonly string[] = [],
    private readonly wanted?: ReceiptOptions,
  ) {}

  /** Adds rooms. A session in several of them gets one copy. */
  to(rooms: string | readonly string[]): this {
    return this.with({ rooms: [...this.rooms, ...listOf(rooms)] });
  }

  /** Adds all sessions of a user. */
  toUser(userId: string | number): this {
    return this.toUsers([userId]);
  }

  /** Adds all sessions of these users. */
  toUsers(userIds: readonly (string | number)[]): this {
    return this.to(userIds.map((id) => userRoom(String(id))));
  }

  /** Adds the sessions of everyone with the role, spelled exactly as in the tokens. */
  toRole(role: string): this {
    return this.to(roleRoom(role));
  }

  /** Everyone in the namespace. */
  broadcast(): this {
    return this.with({ rooms: ['*'] });
  }

  /** Leaves out the sessions in these rooms. */
  except(rooms: string | readonly string[]): this {
    return this.with({ left: [...this.left, ...listOf(rooms)] });
  }

  /** In another namespace than `/`. */
  of(nsp: Namespace): this {
    return this.with({ fields: { nsp } });
  }

  /** Kept in the inbox of each user who is away; only users may be addressed. */
  durable(): this {
    return this.with({ fields: { durable: true } });
  }

  /** A session that is not ready may miss it. */
  volatile(): this {
    return this.with({ fields: { volatile: true } });
  }

  /** Seconds after which it is no longer worth delivering, from an inbox too. */
  ttl(seconds: number): this {
    return this.with({ fields: { ttl: seconds } });
  }

  /** Commands with one key are executed in the order written; the default is whom it addresses. */
  key(key: string): this {
    return this.with({ fields: { key } });
  }

  /** Idempotency key: the same id is executed once within the gateway's window. */
  id(id: string): this {
    return this.with({ fields: { id } });
  }

  /** Has the promise wait until the gateway has executed the command, and give what became of it. */
  receipt(options: ReceiptOptions = {}): Address<Events, Delivery> {
    const { send, fields, rooms, left } = this;
    return new Address<Events, Delivery>(send, fields, rooms, left, options);
  }

  /** Sends an event. Without `data` the client's listener is called without an argument. */
  emit<E extends string>(event: E, ...[data]: Payload<Events, E>): Promise<Answer> {
    return this.dispatch({ event, data });
  }

  /** Makes the addressed users join a room, with every session until they are offline. */
  join(room: string): Promise<Answer> {
    return this.dispatch({ action: 'join', data: { room } });
  }

  /** Takes a join back. */
  leave(room: string): Promise<Answer> {
    return this.dispatch({ action: 'leave', data: { room } });
  }

  /**
   * Closes all sessions of the addressed users; their clients do not come back by themselves.
   * @param options `reason` and `code`: what the client sees; `revoke`: seconds for which tokens
   *   issued before now are refused
   */
  disconnect(options: { reason?: string; code?: string; revoke?: number } = {}): Promise<Answer> {
    return this.dispatch({ action: 'disconnect', data: options });
  }

  private dispatch(fields: CommandFields): Promise<Answer> {
    const command: CommandFields = {
      ...this.fields,
      to: this.rooms.includes('*') ? '*' : this.rooms,
      ...(this.left.length > 0 && { except: this.left }),
      ...fields,
    };
    return this.send(command, this.wanted) as Promise<Answer>;
  }

  private with(change: {
    fields?: CommandFields;
    rooms?: readonly string[];
    left?: readonly string[];
  }): this {
    const { send, fields, rooms, left, wanted } = this;
    return new Address<Events, Answer>(
      send,
      { ...fields, ...change.fields },
      change.rooms ?? rooms,
      change.left ?? left,
      wanted,
    ) as this;
  }
}

function listOf(rooms: string | readonly string[]): readonly string[] {
  return typeof rooms === 'string' ? [rooms] : rooms;
}
