import { z } from 'zod';
import { DEPTH_MAX, isDeeperThan } from './json-depth.js';
import { RoomName } from './rooms.js';

/** Longest text of a message in characters; the payload limit in bytes holds beside it. */
export const TEXT_MAX = 10_000;

const Text = z.string().min(1).max(TEXT_MAX);
const UserId = z.union([z.string().min(1).max(200), z.number().int()]).transform(String);
/** What a client may send freely; the depth is looked at first, since the rest recurses. */
const Json = z
  .custom<z.core.util.JSONType>((value) => !isDeeperThan(value, DEPTH_MAX), {
    error: `JSON is nested deeper than ${DEPTH_MAX} levels`,
  })
  .pipe(z.json());
const Page = z
  .object({
    limit: z.number().int().min(1).max(1000).optional(),
    cursor: z.string().max(1000).optional(),
  })
  .nullish()
  .transform((page) => page ?? {});
const RoomRequest = z.object({ room: RoomName, type: z.string().max(100).optional() });
const Typing = z.object({ room: RoomName, discussionId: z.string().max(200).optional() });

/**
 * Every event that a client of documents 1, 3, 4 and 5 may send on `/`: the schema of its payload
 * and the event that answers it (undefined: others receive the event, the ack's data says `{scope}`). Unknown fields are ignored.
 */
export const CLIENT_EVENTS = {
  /** Document 1. Whatever comes with it is sent back as `data`. */
  ping: { payload: Json.optional(), reply: 'pong' },
  /** Document 5. */
  message: {
    payload: z.looseObject({ message: Json }),
    reply: 'messageReceived',
  },
  /** Document 3. */
  'get-active-users': { payload: Page, reply: 'active-users' },
  /** Document 3. */
  'get-users-stats': { payload: Page, reply: 'users-stats' },
  /** Document 3: to everyone, or to one user. */
  'send-message': { payload: z.object({ message: Text, to: UserId.optional() }), reply: undefined },
  /** Document 3. */
  'join-room': { payload: RoomRequest, reply: 'joined-room' },
  /** Document 4. */
  join_room: { payload: RoomRequest, reply: 'joined-room' },
  /** Document 3. */
  'leave-room': { payload: RoomRequest, reply: 'left-room' },
  /** Document 4. */
  leave_room: { payload: RoomRequest, reply: 'left-room' },
  /** Document 3. */
  'room-message': { payload: z.object({ room: RoomName, message: Text }), reply: undefined },
  /** Document 4. */
  typing_start: { payload: Typing, reply: undefined },
  /** Document 4. */
  typing_stop: { payload: Typing, reply: undefined },
  /** A new token of the same user, before or within the grace time after expiry. */
  'refresh-token': {
    payload: z.object({ token: z.string().min(1).max(16_384) }),
    reply: 'token-refreshed',
  },
} as const satisfies Record<string, ClientEvent>;

export interface ClientEvent {
  readonly payload: z.ZodType;
  readonly reply: string | undefined;
}

export type ClientEventName = keyof typeof CLIENT_EVENTS;

/** The payload of a client event as the gateway sees it, after its schema. */
export type ClientPayload<E extends ClientEventName> = z.output<
  (typeof CLIENT_EVENTS)[E]['payload']
>;
