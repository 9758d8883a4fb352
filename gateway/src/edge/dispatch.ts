import { CLIENT_EVENTS, type ClientEventName } from '@streamgate/protocol/client-events';
import { ERRORS, GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import type { ServerEventName } from '@streamgate/protocol/server-events';
import type { Session } from '../backplane/session.js';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import type { SessionSocket } from './session-socket.js';
import type { Packet } from './socket-io-internals.js';
import { writeTogether } from './write-together.js';

/** What a client may say, by event: one method of `session/` each. */
export type Handler = (session: Session, payload: unknown) => unknown;
export type Handlers = ReadonlyMap<string, Handler>;

/** Names of unknown events that a session is told about; after so many it is told no more. */
const UNKNOWN_EVENTS_TOLD = 16;

/**
 * Runs one event of a client: schema, method, reply event, ack exactly once. Whatever is thrown
 * becomes an error of the catalogue, and nothing that the client sent is echoed in it.
 */
export function dispatch(handlers: Handlers, session: SessionSocket, packet: Packet): void {
  // An event packet may come without any data.
  const [event, payload] = (packet.data ?? []) as [unknown, unknown];
  metrics.eventsIn.add();
  const handler = typeof event === 'string' ? handlers.get(event) : undefined;
  if (!handler) return refuseUnknown(session, packet, String(event));
  const name = event as ClientEventName;
  try {
    const parsed = CLIENT_EVENTS[name].payload.safeParse(payload);
    if (!parsed.success) throw invalidPayload(parsed.error.issues);
    const result = handler(session, parsed.data);
    if (result instanceof Promise)
      result.then(
        (data) => answer(session, packet, name, data),
        (thrown: unknown) => refuse(session, packet, thrown, name),
      );
    else answer(session, packet, name, result);
  } catch (thrown) {
    refuse(session, packet, thrown, name);
  }
}

function answer(
  session: SessionSocket,
  packet: Packet,
  name: ClientEventName,
  data: unknown,
): void {
  const reply: ServerEventName | undefined = CLIENT_EVENTS[name].reply;
  const { id } = packet;
  writeTogether(session.client, () => {
    if (reply !== undefined) session.send(reply, data as never);
    if (id !== undefined) session.acknowledge(id, { data: data ?? null });
  });
}

/**
 * Answers a refused event: the ack and an `error` event with the same fields.
 * @param event its name when it is known; one that the client made up is not said back
 */
export function refuse(
  session: SessionSocket,
  packet: Packet,
  thrown: unknown,
  event?: ClientEventName,
): void {
  const error = toGatewayError(thrown);
  metrics.eventErrors.add(error.code);
  if (error.code === 'internal')
    log.error({ err: error.cause, event, session: session.id }, 'an event failed');
  if (packet.id !== undefined) session.acknowledge(packet.id, { error: error.toBody() });
  session.sendError(error, event);
}

function refuseUnknown(session: SessionSocket, packet: Packet, name: string): void {
  const error = new GatewayError('unknown_event');
  metrics.eventErrors.add(error.code);
  if (packet.id !== undefined) session.acknowledge(packet.id, { error: error.toBody() });
  session.unknownEvents ??= new Set();
  const told = session.unknownEvents;
  // Long names are kept short: the set is the client's to fill.
  const key = name.slice(0, 100);
  if (told.has(key) || told.size >= UNKNOWN_EVENTS_TOLD) return;
  told.add(key);
  session.sendError(error);
}

/** Says what is wrong and where, in words of the schema: the values stay out. */
function invalidPayload(
  issues: readonly { path: readonly PropertyKey[]; message: string }[],
): GatewayError {
  const issue = issues[0];
  const field = issue?.path[0];
  const where = typeof field === 'string' ? `${field}: ` : '';
  return new GatewayError(
    'invalid_payload',
    issue && `${ERRORS.invalid_payload.message}: ${where}${issue.message}`,
  );
}
