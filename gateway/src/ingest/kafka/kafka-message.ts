import type { Message } from '@platformatic/kafka';
import { commandOfFields } from '@streamgate/protocol/command-fields';
import type { CommandInput } from '@streamgate/protocol/commands';
import { GatewayError } from '@streamgate/protocol/errors';
import { commandOfPattern } from '@streamgate/protocol/patterns';
import type { Format } from './kafka-names.js';

/** A message as the door reads it: bytes with text headers. A tombstone has no value. */
export type KafkaMessage = Message<Buffer | undefined, Buffer | undefined, string, string>;

/**
 * A message -> a command, not yet validated. Trace context that stands in the headers, where
 * instrumented producers put it, is taken unless the message has its own.
 * @param maxBytes of the value
 * @throws GatewayError `payload_too_large`, `invalid_json`, `invalid_payload`, `unknown_field`,
 *   `unknown_action`, `invalid_to`
 */
export function commandOfMessage(
  { value, headers }: Pick<KafkaMessage, 'value' | 'headers'>,
  format: Format,
  maxBytes: number,
): CommandInput {
  if (value !== undefined && value.length > maxBytes) throw new GatewayError('payload_too_large');
  const payload = jsonOf(value);
  const command =
    format === 'command' ? commandOfFields(payload) : commandOfPattern(format, payload);
  const traceparent = headers.get('traceparent');
  if (traceparent === undefined || command.traceparent !== undefined) return command;
  return { ...command, traceparent, tracestate: headers.get('tracestate') };
}

/** Where a message that is no command wants to hear so: what is there is taken. */
export function receiptAskedIn({ value }: Pick<KafkaMessage, 'value'>): {
  receipt?: unknown;
  id?: unknown;
} {
  try {
    return Object(jsonOf(value)) as object;
  } catch {
    // What is not JSON asks for nothing.
    return {};
  }
}

function jsonOf(value: Buffer | undefined): unknown {
  try {
    return JSON.parse(value?.toString() ?? '');
  } catch {
    // Its message repeats what the service wrote.
    throw new GatewayError('invalid_json');
  }
}
