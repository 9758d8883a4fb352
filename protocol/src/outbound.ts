import { z } from 'zod';

/**
 * What a service can hear of clients without holding a socket, by type:
 * `message`: a client's `message` event; its `data` is the payload.
 * `first_session`, `last_session`: a user came, or is gone; `data` is the user.
 * `join`, `leave`: a session is in a room now, or no more; `data` is `{room}`.
 * `push`: a member of a conversation was not connected when a message was sent in it; `userId` is the
 * member, `data` the message.
 */
export const OUTBOUND_TYPES = [
  'message',
  'first_session',
  'last_session',
  'join',
  'leave',
  'push',
] as const;
export type OutboundType = (typeof OUTBOUND_TYPES)[number];

/** An entry of the stream `streamgate:events`, as its fields are read. */
export const OutboundEntry = z.object({
  type: z.enum(OUTBOUND_TYPES),
  nsp: z.string(),
  userId: z.string(),
  /** The session that said or did it; absent when there is none. */
  sessionId: z.string().optional(),
  /** Name of the client's event, for `message`; of what the member missed, for `push`. */
  event: z.string().optional(),
  /** JSON. */
  data: z.string(),
  /** ISO 8601 in UTC. */
  time: z.iso.datetime(),
  traceparent: z.string().optional(),
});
export type OutboundEntry = z.infer<typeof OutboundEntry>;
