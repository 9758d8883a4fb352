import type { z } from 'zod';
import type { CHAT_CLIENT_EVENTS } from './chat-client-events.js';
import type { CHAT_SERVER_EVENTS } from './chat-server-events.js';
import type { CLIENT_EVENTS, ClientEvent } from './client-events.js';
import type { Ack, Delivered, SERVER_EVENTS } from './server-events.js';
import type { ServiceEvents } from './service-events.js';

type Schemas = Readonly<Record<string, z.ZodType>>;

type Reply<Sent extends Schemas, E extends ClientEvent> = E['reply'] extends keyof Sent
  ? z.input<Sent[E['reply']]>
  : Delivered;

type Say<Sent extends Schemas, E extends ClientEvent> =
  undefined extends z.input<E['payload']>
    ? (payload?: z.input<E['payload']>, ack?: (answer: Ack<Reply<Sent, E>>) => void) => void
    : (payload: z.input<E['payload']>, ack?: (answer: Ack<Reply<Sent, E>>) => void) => void;

type Heard<Sent extends Schemas> = {
  [E in keyof Sent]: (payload: z.input<Sent[E]>) => void;
};

/** What a client may emit on `/`: `Socket<ServerToClientEvents, ClientToServerEvents>`. The ack is optional. */
export type ClientToServerEvents = {
  [E in keyof typeof CLIENT_EVENTS]: Say<typeof SERVER_EVENTS, (typeof CLIENT_EVENTS)[E]>;
};

/** What a client may hear on `/`: the gateway's own events and those that the documents' services send. */
export type ServerToClientEvents = Heard<typeof SERVER_EVENTS> & {
  [E in Exclude<keyof ServiceEvents, keyof typeof SERVER_EVENTS>]: (
    payload: ServiceEvents[E],
  ) => void;
};

/** What a client may emit on `/chat`. */
export type ChatClientToServerEvents = {
  [E in keyof typeof CHAT_CLIENT_EVENTS]: Say<
    typeof CHAT_SERVER_EVENTS,
    (typeof CHAT_CLIENT_EVENTS)[E]
  >;
};

/** What a client may hear on `/chat` from the gateway itself. */
export type ChatServerToClientEvents = Heard<typeof CHAT_SERVER_EVENTS>;

type AllSent = typeof SERVER_EVENTS & typeof CHAT_SERVER_EVENTS;

/** Every event that the gateway itself sends, in whichever namespace; a name means the same in both. */
export type SentEventName = keyof AllSent;
export type SentPayload<E extends SentEventName> = z.input<AllSent[E]>;
