import { metrics } from '../ops/metrics.js';
import { SpanKind, tracing } from '../ops/tracing.js';

/** Where an event comes from. */
export interface Origin {
  /** The door that it came through, or `client`. */
  readonly door: 'client' | 'http' | 'tcp' | 'stream' | 'kafka';
  /** When it was written by who sent it, in ms since the epoch, by that clock. */
  readonly written: number;
  /** W3C trace context, when it is part of a trace. */
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

/** Of what a client has just said, and what comes of it. */
export function fromClient(): Origin {
  return { door: 'client', written: Date.now(), ...tracing.active() };
}

/** As text, which nodes read of each event that they deliver: short. */
export function contextOf({ door, written, traceparent, tracestate }: Origin): string {
  const base = `${door} ${written.toString(36)}`;
  if (traceparent === undefined) return base;
  return tracestate === undefined
    ? `${base} ${traceparent}`
    : `${base} ${traceparent} ${tracestate}`;
}

/** The reverse; undefined for what no node of ours has written. */
export function originOf(context: string): Origin | undefined {
  const [door = '', written = '', traceparent, ...tracestate] = context.split(' ');
  const ms = Number.parseInt(written, 36);
  if (!DOORS.has(door) || !Number.isSafeInteger(ms)) return undefined;
  return {
    door: door as Origin['door'],
    written: ms,
    traceparent,
    tracestate: tracestate.length > 0 ? tracestate.join(' ') : undefined,
  };
}

const DOORS: ReadonlySet<string> = new Set(['client', 'http', 'tcp', 'stream', 'kafka']);

/**
 * Events in a row were written to sessions of this node.
 * @param contexts of those that have one
 * @param began when the first of them was about to be written, in ms since the epoch
 */
export function delivered(
  contexts: readonly string[],
  events: number,
  sessions: number,
  began: number,
): void {
  metrics.received.add('', events);
  metrics.deliveries.add('', events * sessions);
  if (contexts.length === 0) return;
  const now = Date.now();
  for (const context of contexts) {
    const origin = originOf(context);
    if (!origin) continue;
    const seconds = Math.max(0, now - origin.written) / 1000;
    const traceId = tracing.on ? tracing.sampledId(origin) : undefined;
    metrics.deliverySeconds.of(origin.door).observe(seconds, 1, traceId);
    if (traceId !== undefined)
      tracing.done('deliver', SpanKind.CONSUMER, origin, began, {
        'messaging.system': 'streamgate',
        'messaging.operation.type': 'process',
        'streamgate.sessions': sessions,
      });
  }
}
