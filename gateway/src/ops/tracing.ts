import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  context,
  createTraceState,
  isSpanContextValid,
  trace,
} from '@opentelemetry/api';

export { type Span, SpanKind };

/** W3C trace context as it travels: https://www.w3.org/TR/trace-context/ */
export interface TraceHeader {
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const tracer = trace.getTracer('streamgate');

/**
 * Spans by hand: what is worth one is known here, and a hot path pays one look at `on` when nobody
 * traces. `start-tracing.ts` turns it on, before the rest of the node is loaded.
 */
export const tracing = {
  /** Whether spans go anywhere. */
  on: false,
  /** Sends what was recorded last. */
  shutdown: async (): Promise<void> => {},

  /**
   * Begins a span; `end` it.
   * @param parent what it continues; undefined: what is active, or a trace of its own
   */
  begin(name: string, kind: SpanKind, parent?: TraceHeader, attributes: Attributes = {}): Span {
    return tracer.startSpan(name, { kind, attributes }, contextOf(parent));
  },

  /** Begins a span inside of another. */
  beginIn(span: Span, name: string, kind: SpanKind, attributes: Attributes = {}): Span {
    return tracer.startSpan(name, { kind, attributes }, trace.setSpan(ROOT_CONTEXT, span));
  },

  /**
   * A span that is over.
   * @param began milliseconds since the epoch
   */
  done(name: string, kind: SpanKind, parent: TraceHeader, began: number, attributes: Attributes) {
    tracer.startSpan(name, { kind, attributes, startTime: began }, contextOf(parent)).end();
  },

  /** Runs something as part of a span: what it says, and what it has others do, belongs to it. */
  within<T>(span: Span, run: () => T): T {
    return context.with(trace.setSpan(context.active(), span), run);
  },

  /** Ends a span that came to nothing; `code` is of the error catalogue. */
  fail(span: Span, code: string): void {
    span.setAttribute('error.type', code);
    span.setStatus({ code: SpanStatusCode.ERROR, message: code });
    span.end();
  },

  /** How a span travels; undefined for one that nobody records. */
  headerOf(span: Span | undefined): TraceHeader | undefined {
    if (!span?.isRecording()) return undefined;
    const { traceId, spanId, traceFlags, traceState } = span.spanContext();
    return {
      traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
      tracestate: traceState?.serialize() || undefined,
    };
  },

  /** Of what is active, when it is recorded. */
  active(): TraceHeader | undefined {
    return this.on ? this.headerOf(trace.getActiveSpan()) : undefined;
  },

  /** The trace of a header, when it is recorded: for exemplars. */
  sampledId({ traceparent }: TraceHeader): string | undefined {
    const [, traceId, , flags] = TRACEPARENT.exec(traceparent ?? '') ?? [];
    return flags !== undefined && (Number.parseInt(flags, 16) & TraceFlags.SAMPLED) !== 0
      ? traceId
      : undefined;
  },

  /** What a line of the log says of where it belongs. */
  logFields(): Record<string, string> {
    const span = this.on ? trace.getActiveSpan()?.spanContext() : undefined;
    if (!span || !isSpanContextValid(span)) return {};
    return { trace_id: span.traceId, span_id: span.spanId };
  },
};

/** A wrong header is ignored, as the standard wants. */
function contextOf(header: TraceHeader | undefined): Context {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(header?.traceparent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined) return context.active();
  const spanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags!, 16),
    isRemote: true,
    ...(header!.tracestate !== undefined && { traceState: createTraceState(header!.tracestate) }),
  };
  return isSpanContextValid(spanContext)
    ? trace.setSpanContext(ROOT_CONTEXT, spanContext)
    : context.active();
}
