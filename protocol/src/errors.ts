/**
 * The error catalogue: every code that a client or a service can see, with its default message,
 * whether trying again can help, and the HTTP status it has on the REST door.
 */
interface CatalogueEntry {
  /** Default text; safe to show, never carries what the client sent. */
  readonly message: string;
  /** True when the same request may succeed later. */
  readonly retryable: boolean;
  /** Status of the problem document (RFC 9457) on the REST door. */
  readonly status: number;
}

export const ERRORS = {
  // Connecting
  authentication_failed: { message: 'Authentication failed', retryable: false, status: 401 },
  token_expired: { message: 'Token expired', retryable: false, status: 401 },
  token_revoked: { message: 'The token was revoked', retryable: false, status: 401 },
  user_mismatch: {
    message: 'The token belongs to another user',
    retryable: false,
    status: 403,
  },
  jwks_unavailable: {
    message: 'The signing keys cannot be fetched right now',
    retryable: true,
    status: 503,
  },
  origin_not_allowed: { message: 'Origin not allowed', retryable: false, status: 403 },
  draining: { message: 'This node is draining', retryable: true, status: 503 },
  node_full: { message: 'This node is full', retryable: true, status: 503 },
  handshake_rate: { message: 'Too many connects, try again shortly', retryable: true, status: 503 },
  address_limit: { message: 'Too many sessions from this address', retryable: true, status: 503 },
  user_limit: { message: 'Too many sessions of this user', retryable: false, status: 429 },
  chat_disabled: { message: 'Chat is not enabled', retryable: false, status: 404 },
  // Speaking
  invalid_payload: { message: 'Invalid payload', retryable: false, status: 400 },
  unknown_event: { message: 'Unknown event', retryable: false, status: 400 },
  rate_limited: { message: 'Too many events', retryable: true, status: 429 },
  room_forbidden: { message: 'Not allowed in this room', retryable: false, status: 403 },
  not_in_room: { message: 'Join the room first', retryable: false, status: 403 },
  too_many_rooms: { message: 'Too many rooms', retryable: false, status: 429 },
  user_offline: { message: 'The user is not connected', retryable: false, status: 404 },
  disconnected: { message: 'Disconnected by a service', retryable: false, status: 403 },
  // Chat
  conversation_not_found: {
    message: 'No such conversation, or not a member of it',
    retryable: false,
    status: 404,
  },
  message_not_found: { message: 'No such message', retryable: false, status: 404 },
  not_in_conversation: {
    message: 'Join the conversation first',
    retryable: false,
    status: 403,
  },
  conversation_fixed: {
    message: 'The two of a direct conversation stay',
    retryable: false,
    status: 409,
  },
  conversation_full: { message: 'Too many members', retryable: false, status: 409 },
  attachment_refused: { message: 'The attachment is not allowed', retryable: false, status: 400 },
  // Commands and the REST door
  unauthorized: { message: 'A valid token is required', retryable: false, status: 401 },
  forbidden: { message: 'Not allowed', retryable: false, status: 403 },
  reserved_event: { message: 'This event name is reserved', retryable: false, status: 400 },
  unknown_namespace: { message: 'Unknown namespace', retryable: false, status: 400 },
  unknown_action: { message: 'Unknown action', retryable: false, status: 400 },
  unknown_field: { message: 'Unknown field', retryable: false, status: 400 },
  invalid_json: { message: 'Not JSON', retryable: false, status: 400 },
  invalid_to: { message: 'Not room names', retryable: false, status: 400 },
  invalid_ttl: { message: 'Not a number of seconds', retryable: false, status: 400 },
  invalid_receipt: { message: 'Not a receipt stream', retryable: false, status: 400 },
  durable_needs_users: {
    message: 'A durable command addresses users, by user: rooms only',
    retryable: false,
    status: 400,
  },
  idempotency_conflict: {
    message: 'The id was used for another command',
    retryable: false,
    status: 409,
  },
  gave_up: { message: 'Tried too often', retryable: false, status: 500 },
  lease_lost: { message: 'Another node executes this partition', retryable: true, status: 503 },
  payload_too_large: { message: 'Payload too large', retryable: false, status: 413 },
  not_found: { message: 'Not found', retryable: false, status: 404 },
  method_not_allowed: { message: 'Method not allowed', retryable: false, status: 405 },
  unsupported_media_type: { message: 'Send JSON', retryable: false, status: 415 },
  // Anywhere
  backplane_unavailable: {
    message: 'The backplane is unavailable, try again',
    retryable: true,
    status: 503,
  },
  database_unavailable: {
    message: 'The database is unavailable, try again',
    retryable: true,
    status: 503,
  },
  internal: { message: 'Internal error', retryable: true, status: 500 },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** What a client or service is told: an ack's `error`, the `error` event, a CONNECT_ERROR's `data`. */
export interface ErrorBody {
  message: string;
  code: ErrorCode;
  retryable: boolean;
  /** Milliseconds to wait before trying again, when known. */
  retryAfterMs?: number;
}

/** An expected failure with a code of the catalogue. Everything else that is thrown becomes `internal`. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;

  /**
   * @param code catalogue code
   * @param message replaces the catalogue's message; must not echo what a client sent
   * @param options `retryAfterMs`: milliseconds to wait; `cause`: for the log only
   */
  constructor(
    code: ErrorCode,
    message?: string,
    options: { retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message ?? ERRORS[code].message, { cause: options.cause });
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  /** HTTP status on the REST door. */
  get status(): number {
    return ERRORS[this.code].status;
  }

  /** The part that leaves the gateway. */
  toBody(): ErrorBody {
    const body: ErrorBody = {
      message: this.message,
      code: this.code,
      retryable: this.retryable,
    };
    if (this.retryAfterMs !== undefined) body.retryAfterMs = this.retryAfterMs;
    return body;
  }
}

/** Turns anything thrown into a catalogue error; the original stays as `cause` for the log. */
export function toGatewayError(thrown: unknown): GatewayError {
  return thrown instanceof GatewayError
    ? thrown
    : new GatewayError('internal', undefined, { cause: thrown });
}
