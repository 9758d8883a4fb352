import { randomBytes } from 'node:crypto';
import { type CommandFields, commandOfFields } from '@streamgate/protocol/command-fields';
import { type Namespace, parseCommand } from '@streamgate/protocol/commands';
import { GatewayError } from '@streamgate/protocol/errors';
import type { ServiceEvents } from '@streamgate/protocol/service-events';
import { entryOfCommand, orderingKey, streamNames } from '@streamgate/protocol/stream';
import { Address, type ReceiptOptions, type Written } from './address.js';
import { connect, type RedisLocation } from './connection.js';
import { EmitterError, failure } from './emitter-error.js';
import { type Entry, Outbox } from './outbox.js';
import { Partitions } from './partitions.js';
import { type Delivery, Receipts } from './receipts.js';
import { warner } from './warn.js';

export type { Address, ReceiptOptions, Written } from './address.js';
export type { RedisLocation } from './connection.js';
export { EmitterError } from './emitter-error.js';
export type { Delivery } from './receipts.js';

/** W3C trace context. */
export interface TraceContext {
  readonly traceparent?: string;
  readonly tracestate?: string;
}

export interface EmitterOptions {
  readonly redis: RedisLocation;
  /** Name of this service: the scope of its ids. Default `emitter`. */
  readonly source?: string;
  /** `STREAMGATE_REDIS_PREFIX` of the gateway. Default `streamgate`. */
  readonly prefix?: string;
  /** Refuses to write when the gateway has another number of partitions. Default: what it has. */
  readonly partitions?: number;
  /** Commands that may wait while Redis is slow or away. Default 10,000. */
  readonly maxQueued?: number;
  /** Bytes that may wait. Default 32 MiB. */
  readonly maxQueuedBytes?: number;
  /** Largest command, `STREAMGATE_COMMAND_MAX_BYTES` of the gateway. Default 1 MiB. */
  readonly maxCommandBytes?: number;
  /**
   * For how long a write whose answer was lost is repeated, under the same id. Less than the
   * gateway's `STREAMGATE_IDEMPOTENCY_SECONDS`, or it could be executed twice. Default 240,000.
   */
  readonly repeatWithinMs?: number;
  /** How long to wait for a receipt. Default 10,000. */
  readonly receiptTimeoutMs?: number;
  /** The trace that a command belongs to; see `@streamgate/emitter/otel`. */
  readonly trace?: () => TraceContext | undefined;
  /**
   * Hears of every command that failed, also when nobody awaits it, and once of each outage of
   * Redis. Default: process warnings.
   */
  readonly onError?: (error: EmitterError) => void;
}

/**
 * Emits to the users, roles and rooms of a Streamgate gateway, through its Redis stream.
 * @typeParam Events event names and their payloads; other names take any payload
 */
export class Emitter<Events extends object = ServiceEvents> {
  private readonly source: string;
  private readonly instance = randomBytes(9).toString('base64url');
  private count = 0;
  private closed = false;
  private readonly outbox: Outbox;
  private readonly receipts: Receipts;
  private readonly report: (error: EmitterError) => void;
  private readonly start: Address<Events>;

  /** Connects at once and by itself again; what is emitted meanwhile waits, bounded. */
  constructor(private readonly options: EmitterOptions) {
    const { source = 'emitter', prefix = 'streamgate', onError = warner() } = options;
    this.source = source;
    this.report = onError;
    const names = streamNames(prefix);
    const redis = this.connect();
    this.outbox = new Outbox(redis, names, new Partitions(names.partitions, options.partitions), {
      maxQueued: options.maxQueued ?? 10_000,
      maxQueuedBytes: options.maxQueuedBytes ?? 32 * 1024 * 1024,
      repeatWithinMs: options.repeatWithinMs ?? 240_000,
    });
    this.receipts = new Receipts(names.receipts + this.instance, () => this.connect());
    this.start = new Address<Events>((fields, receipt) => this.send(fields, receipt), {});
  }

  /** Rooms, by name. */
  to(rooms: string | readonly string[]): Address<Events> {
    return this.start.to(rooms);
  }

  /** All sessions of a user. */
  toUser(userId: string | number): Address<Events> {
    return this.start.toUser(userId);
  }

  /** All sessions of these users. */
  toUsers(userIds: readonly (string | number)[]): Address<Events> {
    return this.start.toUsers(userIds);
  }

  /** Everyone with the role, spelled exactly as in the tokens. */
  toRole(role: string): Address<Events> {
    return this.start.toRole(role);
  }

  /** Everyone. */
  broadcast(): Address<Events> {
    return this.start.broadcast();
  }

  /** In another namespace than `/`. */
  of(nsp: Namespace): Address<Events> {
    return this.start.of(nsp);
  }

  /**
   * Sends a command in the fields of the contract; `source`, `id` and the trace are added.
   * @returns `Written`, or with `receipt` the `Delivery`
   * @throws EmitterError what is wrong with the command in the gateway's own codes, or `queue_full`,
   *   `closed`, `expired`, `outcome_unknown`, `redis_refused`, `partitions_conflict`,
   *   `receipt_timeout`
   */
  send(fields: CommandFields, receipt?: ReceiptOptions): Promise<Written | Delivery> {
    const sent = receipt ? this.deliver(fields, receipt) : this.write(fields);
    // Whoever does not await it must not bring the process down.
    sent.catch(this.report);
    return sent;
  }

  /**
   * Writes what waits, waits for the receipts that were asked for, and closes the connections.
   * @param timeoutMs what has not been written by then fails with `closed`
   */
  async close(timeoutMs = 5000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    this.closed = true;
    await this.outbox.close(timeoutMs);
    await this.receipts.close(Math.max(0, deadline - performance.now()));
  }

  private async write(fields: CommandFields): Promise<Written> {
    const entry = this.entryOf(fields);
    return { id: entry.id, entry: await this.outbox.push(entry) };
  }

  private async deliver(fields: CommandFields, options: ReceiptOptions): Promise<Delivery> {
    const entry = this.entryOf({ ...fields, receipt: this.receipts.stream });
    const expected = this.receipts.expect(entry.id);
    const written = this.outbox.push(entry).then(
      () => expected.within(options.timeoutMs ?? this.options.receiptTimeoutMs ?? 10_000),
      (thrown: unknown) => {
        expected.forget();
        throw thrown;
      },
    );
    // Together, since either may fail first.
    const [delivery] = await Promise.all([expected.arrived, written]);
    return delivery;
  }

  /** Refuses here what the gateway would refuse, with the same code. */
  private entryOf(fields: CommandFields): Entry {
    const id = typeof fields.id === 'string' ? fields.id : this.newId();
    const trace = this.options.trace?.();
    try {
      const input = commandOfFields({ source: this.source, ...trace, ...fields, id });
      const { ttl } = parseCommand(input);
      const text = entryOfCommand(input);
      const bytes = text.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
      if (bytes > (this.options.maxCommandBytes ?? 1024 * 1024))
        throw new GatewayError('payload_too_large');
      const expiresAt = ttl === undefined ? Infinity : performance.now() + ttl * 1000;
      return { id, key: orderingKey(text), fields: text, bytes, expiresAt };
    } catch (thrown) {
      throw refusal(thrown, id);
    }
  }

  private newId(): string {
    return `${this.instance}-${(this.count++).toString(36)}`;
  }

  private connect() {
    let away = false;
    const redis = connect(this.options.redis, (cause) => {
      if (!away && !this.closed) this.report(failure('redis_away', { cause }));
      away = true;
    });
    return redis.on('ready', () => (away = false));
  }
}

function refusal(thrown: unknown, id: string): EmitterError {
  // JSON.stringify throws a TypeError for what is no JSON.
  const { code, message, retryable } =
    thrown instanceof GatewayError
      ? thrown
      : new GatewayError('invalid_payload', 'data is not JSON');
  return new EmitterError(code, message, retryable, { id, cause: thrown });
}
