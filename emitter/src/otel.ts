import { isSpanContextValid, trace } from '@opentelemetry/api';
import type { TraceContext } from './emitter.js';

/**
 * The active span of OpenTelemetry as W3C trace context, whatever propagator the service has set:
 * `new Emitter({ redis, trace: activeTrace })`. Without an active span, nothing.
 */
export function activeTrace(): TraceContext | undefined {
  const context = trace.getActiveSpan()?.spanContext();
  if (!context || !isSpanContextValid(context)) return undefined;
  const { traceId, spanId, traceFlags, traceState } = context;
  const tracestate = traceState?.serialize();
  const traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
  return tracestate ? { traceparent, tracestate } : { traceparent };
}
