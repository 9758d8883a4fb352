import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  SamplingDecision,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  context,
  createContextKey,
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
/** That this trace is recorded, though it begins here; or that it is not. */
const DRAWN = createContextKey('streamgate drawn');

/**
 * Spans by hand: what is worth one is known here, and a hot path pays one look at `on` when nobody
 * traces. `start-tracing.ts` turns it on, before the rest of the node is loaded.
 */
export const tracing = {
  /** Whether spans go anywhere. */
  on: false,
  /** Of traces that begin here, how many are recorded; undefined: the SDK decides when asked for a span. */
  share: undefined as number | undefined,
  /** Sends what was recorded last. */
  shutdown: async (): Promise<void> => {},

  /**
   * Whether to begin a span: asked before anything is made for it, since of a hundred events 99 may
   * not want any.
   * @param parent as for `begin`
   */
  wants(parent?: TraceHeader): boolean {
    if (!this.on) return false;
    if (this.share === undefined) return true;
    const sampled = parent && spanContextOf(parent)?.traceFlags;
    if (sampled !== undefined) return isSampled(sampled);
    const active = context.active();
    const drawn = active.getValue(DRAWN);
    if (drawn !== undefined) return drawn === true;
    return Math.random() < this.share;
  },

  /**
   * The SDK's sampler for a share: by the parent, and what begins here by lot; what `wants` has drawn
   * is not drawn again.
   */
  sampler(share: number) {
    return {
      shouldSample(within: Context) {
        const parent = trace.getSpanContext(within);
        const yes =
          parent && isSpanContextValid(parent)
            ? isSampled(parent.traceFlags)
            : within.getValue(DRAWN) === true || Math.random() < share;
        return {
          decision: yes ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD,
        };
      },
      toString: () => `ParentOrShare{${share}}`,
    };
  },

  /** Runs something that no span is wanted for, nor for what it does. */
  without<T>(run: () => T): T {
    return context.with(context.active().setValue(DRAWN, false), run);
  },

  /**
   * Begins a span; `end` it.
   * @param parent what it continues; undefined: what is active, or a trace of its own
   */
  begin(name: string, kind: SpanKind, parent?: TraceHeader, attributes: Attributes = {}): Span {
    return tracer.startSpan(name, { kind, attributes }, contextOf(parent).setValue(DRAWN, true));
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
    const inside = trace.setSpan(context.active(), span).setValue(DRAWN, span.isRecording());
    return context.with(inside, run);
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
  sampledId(header: TraceHeader): string | undefined {
    const spanContext = spanContextOf(header);
    return spanContext && isSampled(spanContext.traceFlags) ? spanContext.traceId : undefined;
  },

  /** What a line of the log says of where it belongs. */
  logFields(): Record<string, string> {
    const span = this.on ? trace.getActiveSpan()?.spanContext() : undefined;
    if (!span || !isSpanContextValid(span)) return {};
    return { trace_id: span.traceId, span_id: span.spanId };
  },
};

/** Most characters of a `tracestate` (W3C, 3.3.1.1: at least so many have to be carried on). */
const TRACESTATE_MAX = 512;

/** A wrong header is ignored, as the standard wants, whatever it is: nobody has looked at it yet. */
function contextOf(header: TraceHeader | undefined): Context {
  const spanContext = header && spanContextOf(header);
  return spanContext ? trace.setSpanContext(ROOT_CONTEXT, spanContext) : context.active();
}

function spanContextOf({ traceparent, tracestate }: TraceHeader): SpanContext | undefined {
  if (traceparent === undefined) return undefined;
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined) return undefined;
  const state: unknown = tracestate;
  const isState = typeof state === 'string' && state.length <= TRACESTATE_MAX;
  const spanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags!, 16),
    isRemote: true,
    ...(isState && { traceState: createTraceState(state) }),
  };
  return isSpanContextValid(spanContext) ? spanContext : undefined;
}

function isSampled(flags: number): boolean {
  return (flags & TraceFlags.SAMPLED) !== 0;
}
