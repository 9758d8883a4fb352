import type { z } from 'zod';
import type { CLIENT_EVENTS, ClientEventName } from './client-events.js';
import type { Ack, Delivered, ServerEventName, ServerPayload } from './server-events.js';
import type { ServiceEvents } from './service-events.js';

type ReplyOf<E extends ClientEventName> = (typeof CLIENT_EVENTS)[E]['reply'] extends ServerEventName
  ? ServerPayload<Extract<(typeof CLIENT_EVENTS)[E]['reply'], ServerEventName>>
  : Delivered;

type Input<E extends ClientEventName> = z.input<(typeof CLIENT_EVENTS)[E]['payload']>;

/** What a client may emit: `Socket<ServerToClientEvents, ClientToServerEvents>`. The ack is optional. */
export type ClientToServerEvents = {
  [E in ClientEventName]: undefined extends Input<E>
    ? (payload?: Input<E>, ack?: (answer: Ack<ReplyOf<E>>) => void) => void
    : (payload: Input<E>, ack?: (answer: Ack<ReplyOf<E>>) => void) => void;
};

/** What a client may hear: the gateway's own events and those that the documents' services send. */
export type ServerToClientEvents = {
  [E in ServerEventName]: (payload: ServerPayload<E>) => void;
} & {
  [E in Exclude<keyof ServiceEvents, ServerEventName>]: (payload: ServiceEvents[E]) => void;
};
