import { ChatId, ClientMessageId } from '@streamgate/protocol/chat';
import { ERRORS, GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import type { SentEventName } from '@streamgate/protocol/event-maps';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import { type Span, tracing } from '../ops/tracing.js';
import { eventSpan } from './client-spans.js';
import type { Handler, Handlers } from './handlers.js';
import type { SessionSocket } from './session-socket.js';
import type { Packet } from './socket-io-internals.js';
import { writeThisTurn } from './write-together.js';

/** Names of unknown events that a session is told about; after so many it is told no more. */
const UNKNOWN_EVENTS_TOLD = 16;

/**
 * Runs one event of a client: schema, method, reply event, ack exactly once. Whatever is thrown
 * becomes an error of the catalogue, and nothing that the client sent is echoed in it.
 */
export function dispatch(handlers: Handlers, session: SessionSocket, packet: Packet): void {
  const [name, payload] = eventOf(packet);
  const handler = handlers.get(name);
  if (!handler) return refuseUnknown(session, packet, name);
  handler.events.value += 1;
  const began = performance.now();
  const span = eventSpan(session, name, payload);
  try {
    const parsed = handler.payload.safeParse(payload);
    if (!parsed.success) throw invalidPayload(parsed.error.issues);
    const handle = () => handler.handle(session, parsed.data);
    const result = span ? tracing.within(span, handle) : handle();
    if (result instanceof Promise)
      result.then(
        (data) => answer(session, packet, handler, data, began, span),
        (thrown: unknown) => fail(handlers, session, packet, thrown, began, span),
      );
    else answer(session, packet, handler, result, began, span);
  } catch (thrown) {
    fail(handlers, session, packet, thrown, began, span);
  }
}

/** An event packet may come without any data. */
function eventOf({ data }: Packet): [name: string, payload: unknown] {
  const [event, payload] = (data ?? []) as [unknown, unknown];
  return [String(event), payload];
}

function answer(
  session: SessionSocket,
  packet: Packet,
  { reply, seconds }: Handler,
  data: unknown,
  began: number,
  span: Span | undefined,
): void {
  const { id } = packet;
  seconds.observe((performance.now() - began) / 1000);
  writeThisTurn(session.client, () => {
    if (reply !== undefined) session.send(reply as SentEventName, data as never);
    if (id !== undefined) session.acknowledge(id, { data: data ?? null });
  });
  span?.end();
}

function fail(
  handlers: Handlers,
  session: SessionSocket,
  packet: Packet,
  thrown: unknown,
  began: number,
  span: Span | undefined,
): void {
  metrics.eventSeconds.observe((performance.now() - began) / 1000, session.namespace);
  if (span) tracing.fail(span, toGatewayError(thrown).code);
  refuse(handlers, session, packet, thrown);
}

/**
 * Answers a refused event: the ack, and an `error` event with the same fields or what its event has
 * in place of it. A name that the client made up is not said back.
 */
export function refuse(
  handlers: Handlers,
  session: SessionSocket,
  packet: Packet,
  thrown: unknown,
): void {
  const error = toGatewayError(thrown);
  const [name, payload] = eventOf(packet);
  const handler = handlers.get(name);
  metrics.eventErrors.add(error.code);
  if (error.code === 'internal')
    log.error({ err: error.cause, event: handler && name, session: session.id }, 'an event failed');
  if (packet.id !== undefined) session.acknowledge(packet.id, { error: error.toBody() });
  if (handler?.refusal === 'message-error') {
    const { message, ...rest } = error.toBody();
    const id = ClientMessageId.safeParse(fieldOf(payload, 'client_message_id')).data;
    const named = id !== undefined && { client_message_id: id };
    session.send('message-error', { error: message, ...rest, ...named });
    return;
  }
  if (handler?.refusal === 'joined-conversation') {
    const conversationId = ChatId.safeParse(fieldOf(payload, 'conversationId')).data;
    const named = conversationId !== undefined && { conversationId };
    session.send('joined-conversation', { ...named, success: false });
  }
  session.sendError(error, handler && name);
}

/** Of a payload that may be no object at all. */
function fieldOf(payload: unknown, name: string): unknown {
  return typeof payload === 'object' && payload !== null && Object.hasOwn(payload, name)
    ? (payload as Record<string, unknown>)[name]
    : undefined;
}

function refuseUnknown(session: SessionSocket, packet: Packet, name: string): void {
  const error = new GatewayError('unknown_event');
  metrics.eventsIn.add('other');
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
