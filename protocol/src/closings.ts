import type { ErrorCode } from './errors.js';

/**
 * How the gateway ends a session: for each cause the event sent first and whether the stock client
 * comes back by itself. Measured on socket.io-client 4.8: after a closed transport it reconnects,
 * after a server disconnect it does not.
 */
interface Closing {
  /** Code of the `error` event sent first; none when the client need not know. */
  readonly code: ErrorCode | undefined;
  /**
   * `transport`: close the Engine.IO connection, the client returns.
   * `terminate`: the same at once, without waiting for unsent bytes, which are given back.
   * `disconnect`: Socket.IO disconnect, the client stays away.
   */
  readonly method: 'transport' | 'terminate' | 'disconnect';
}

export const CLOSINGS = {
  drain: { code: undefined, method: 'transport' },
  shed: { code: undefined, method: 'transport' },
  slow_consumer: { code: undefined, method: 'terminate' },
  jwks_unavailable: { code: undefined, method: 'transport' },
  flood: { code: 'rate_limited', method: 'disconnect' },
  token_expired: { code: 'token_expired', method: 'disconnect' },
  /** The service's own code and reason stand in place of the catalogue's, when it gave any. */
  service: { code: 'disconnected', method: 'disconnect' },
  revoked: { code: 'token_revoked', method: 'disconnect' },
  auth_error_event: { code: 'authentication_failed', method: 'disconnect' },
} as const satisfies Record<string, Closing>;

export type ClosingCause = keyof typeof CLOSINGS;
