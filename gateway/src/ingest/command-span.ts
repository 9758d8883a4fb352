import type { Outcome } from '@streamgate/protocol/commands';
import { GatewayError } from '@streamgate/protocol/errors';
import { type Span, SpanKind, type TraceHeader, tracing } from '../ops/tracing.js';
import type { Caller } from './accept.js';
import type { Item } from './execute.js';
import type { Consumer } from './ledger.js';

const SYSTEMS: Partial<Record<Caller['door'], string>> = { stream: 'redis', kafka: 'kafka' };

/**
 * A command's way through this node as spans: executing it, and in that publishing it, which the nodes
 * that deliver it continue. Named as the semantic conventions for messaging want
 * (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/).
 */
export class CommandSpan {
  private publish: Span | undefined;

  /** Undefined when no span is wanted. */
  static begin(
    { input, entry, writtenAt }: Item,
    { door }: Caller,
    consumer: Consumer | undefined,
  ): CommandSpan | undefined {
    const { traceparent, tracestate, action, id } = input;
    const parent = typeof traceparent === 'string' ? { traceparent, tracestate } : undefined;
    if (!tracing.wants(parent)) return undefined;
    const destination = consumer?.stream ?? door;
    const span = tracing.begin(`process ${destination}`, SpanKind.CONSUMER, parent, {
      'messaging.system': SYSTEMS[door] ?? 'streamgate',
      'messaging.operation.name': 'execute',
      'messaging.operation.type': 'process',
      'messaging.destination.name': destination,
      'streamgate.door': door,
      'streamgate.action': action,
      ...(entry !== undefined && { 'messaging.message.id': entry }),
      ...(id !== undefined && { 'streamgate.command.id': id }),
      ...(writtenAt !== undefined && {
        'streamgate.queue.seconds': (Date.now() - writtenAt) / 1000,
      }),
    });
    return new CommandSpan(span);
  }

  private constructor(private readonly process: Span) {}

  /** Begins to publish; what travels with the event, undefined when nobody records the trace. */
  published(): TraceHeader | undefined {
    if (!this.process.isRecording()) return undefined;
    this.publish = tracing.beginIn(this.process, 'publish', SpanKind.PRODUCER, {
      'messaging.system': 'streamgate',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
    });
    return tracing.headerOf(this.publish);
  }

  end(outcome: Outcome | GatewayError): void {
    const { process, publish } = this;
    if (outcome instanceof GatewayError) {
      if (publish) tracing.fail(publish, outcome.code);
      tracing.fail(process, outcome.code);
      return;
    }
    publish?.end();
    process.setAttribute('streamgate.outcome', outcome.outcome);
    if (outcome.sessions !== undefined)
      process.setAttribute('streamgate.sessions', outcome.sessions);
    process.end();
  }
}
