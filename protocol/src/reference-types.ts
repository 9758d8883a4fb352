import type { ErrorCode } from './errors.js';

/** Which of the five documents an event comes from, or that this gateway adds it. */
export type Origin = 1 | 2 | 3 | 4 | 5 | 'streamgate';

/** What the reference says of an event, beside its schema. */
export interface EventReference<Payload> {
  readonly origin: Origin | readonly Origin[];
  /** One sentence. */
  readonly summary: string;
  /** A payload as it travels; checked against the schema whenever the reference is made. */
  readonly example: Payload;
  /** Who receives it, or what it brings about. */
  readonly recipients: string;
}

/** What the reference says of an event that a client sends. */
export interface ClientEventReference<Payload> extends EventReference<Payload> {
  /** How it can be refused, beside `COMMON_CODES`. */
  readonly codes: readonly ErrorCode[];
}

/** Every event of a client can be refused with these. */
export const COMMON_CODES = [
  'invalid_payload',
  'rate_limited',
  'token_expired',
  'internal',
] as const satisfies readonly ErrorCode[];
