import { z } from 'zod';
import type { ErrorCode } from './errors.js';

/** One operation of the REST door. */
export interface Operation {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** As OpenAPI writes it: `/api/gateway/status/{userId}`. */
  readonly path: string;
  readonly summary: string;
  /** Which roles may: `STREAMGATE_EMIT_ROLES`, `STREAMGATE_PRESENCE_ROLES`, or any valid token. */
  readonly permission: 'emit' | 'presence' | 'anyone';
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  readonly body?: z.ZodObject;
  readonly answer: z.ZodObject;
  /** Answers 201 when it made something, 200 when that was there already. */
  readonly creates?: true;
  /** How it can be refused, beside what all operations have. */
  readonly codes?: readonly ErrorCode[];
}

/** Who may, for people. */
export const CALLERS: Readonly<Record<Operation['permission'], string>> = {
  emit: 'For roles of `STREAMGATE_EMIT_ROLES`.',
  presence: 'For roles of `STREAMGATE_PRESENCE_ROLES`.',
  anyone: 'For anyone with a valid token.',
};

export const Page = z.object({
  limit: z.coerce.number().int().min(1).max(1000).optional().meta({
    description: 'Most entries on a page; the configured page size when absent',
  }),
  cursor: z.string().max(1000).optional().meta({
    description: '`nextCursor` of the page before',
  }),
});

/** Which page of a list is asked for. */
export type PageQuery = z.output<typeof Page>;

export const NextCursor = z.string().optional().meta({
  description: 'Give it back as `cursor` for the next page; absent on the last',
});
