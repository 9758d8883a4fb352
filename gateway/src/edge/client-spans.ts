import { type Span, SpanKind, type TraceHeader, tracing } from '../ops/tracing.js';
import type { SessionSocket } from './session-socket.js';
import type { Client } from './socket-io-internals.js';

/** What clients sent in their handshakes; kept only while somebody traces. */
const handshakes = new WeakMap<Client, TraceHeader>();

/** A client may say in its handshake which trace it is part of: `auth: {traceparent}`. */
export function rememberTrace(client: Client, auth: Record<string, unknown>): void {
  const header = tracing.on ? headerIn(auth) : undefined;
  if (header) handshakes.set(client, header);
}

/**
 * From an event of a client to its answer; undefined when no span is wanted. It continues the trace of
 * the payload's `traceparent`, or that of the handshake.
 * @param event a name that a document has
 */
export function eventSpan(
  session: SessionSocket,
  event: string,
  payload: unknown,
): Span | undefined {
  if (!tracing.on) return undefined;
  const parent = headerIn(payload) ?? handshakes.get(session.client);
  if (!tracing.wants(parent)) return undefined;
  return tracing.begin(`process ${event}`, SpanKind.SERVER, parent, {
    'messaging.system': 'socket.io',
    'messaging.operation.name': 'handle',
    'messaging.operation.type': 'process',
    'messaging.destination.name': session.namespace,
    'streamgate.event': event,
    'streamgate.session.id': session.id,
  });
}

/** Without `tracestate`: it would go with each event to all nodes, and anybody may send it. */
function headerIn(value: unknown): TraceHeader | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { traceparent } = value as Record<string, unknown>;
  return typeof traceparent === 'string' ? { traceparent } : undefined;
}
