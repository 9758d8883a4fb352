import type { ErrorCode } from '@streamgate/protocol/errors';

/** What can go wrong on this side of the stream: message, and whether the same call may succeed later. */
const FAILURES = {
  queue_full: {
    message: 'Too many commands wait for Redis; the queue is full',
    retryable: true,
  },
  closed: { message: 'The emitter is closed', retryable: false },
  expired: { message: 'The ttl passed before Redis could be reached', retryable: false },
  outcome_unknown: {
    message: 'Redis went away while the command was written; it may or may not have arrived',
    retryable: false,
  },
  receipt_timeout: {
    message: 'The command was written, and no receipt came in time',
    retryable: false,
  },
  partitions_conflict: {
    message: 'The gateway has another number of partitions than this emitter was told',
    retryable: false,
  },
  redis_refused: { message: 'Redis refused the command', retryable: false },
  redis_away: { message: 'Redis is away; commands wait in the queue', retryable: true },
  gateway_away: { message: 'The gateway did not answer', retryable: true },
} as const;

export type FailureCode = keyof typeof FAILURES;

/**
 * Every failure that the emitter reports. `code` is one of the emitter's own or of the gateway's
 * catalogue (`invalid_to`, `reserved_event`, `durable_needs_users`, …): decide by it, not by class,
 * since an ESM and a CommonJS copy of this package may live in one process.
 */
export class EmitterError extends Error {
  override readonly name = 'EmitterError';

  /**
   * @param code of the emitter or of the gateway's catalogue
   * @param retryable whether the same call may succeed later
   * @param options `id`: the command's id, to repeat it under; `cause`: what was thrown
   */
  constructor(
    readonly code: FailureCode | ErrorCode,
    message: string,
    readonly retryable: boolean,
    options: { id?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.id = options.id;
  }

  /** The id of the command that failed, when it is about one. */
  readonly id: string | undefined;
}

/** A failure of the emitter's own. */
export function failure(
  code: FailureCode,
  options: { id?: string | undefined; cause?: unknown } = {},
): EmitterError {
  const { message, retryable } = FAILURES[code];
  return new EmitterError(code, message, retryable, options);
}
