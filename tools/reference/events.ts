import { isDeepStrictEqual } from 'node:util';
import { z, type ZodType } from 'zod';
import { CHAT_CLIENT_EVENTS } from '../../protocol/dist/chat-client-events.js';
import { CHAT_SERVER_EVENTS } from '../../protocol/dist/chat-server-events.js';
import { CLIENT_EVENTS, type ClientEvent } from '../../protocol/dist/client-events.js';
import type { ErrorCode } from '../../protocol/dist/errors.js';
import {
  CHAT_CLIENT_REFERENCE,
  CHAT_SERVER_REFERENCE,
} from '../../protocol/dist/reference-chat.js';
import { CLIENT_REFERENCE } from '../../protocol/dist/reference-client.js';
import { SERVER_REFERENCE } from '../../protocol/dist/reference-server.js';
import { SERVICE_REFERENCE } from '../../protocol/dist/reference-services.js';
import type { ClientEventReference, EventReference } from '../../protocol/dist/reference-types.js';
import { SERVER_EVENTS } from '../../protocol/dist/server-events.js';
import { SERVICE_EVENTS } from '../../protocol/dist/service-events.js';
import { schemaOf, type JsonSchema } from './schema.ts';

/** Who sends it: a client, the gateway itself, or a service through a door. */
export type Sender = 'client' | 'gateway' | 'service';

/** An event as the reference shows it. */
export interface ReferenceEvent {
  readonly namespace: '/' | '/chat';
  readonly sender: Sender;
  readonly name: string;
  readonly payload: JsonSchema;
  /** False when the event may come without a payload. */
  readonly needsPayload: boolean;
  readonly reference: EventReference<unknown>;
  /** Of a client's event: the event that answers it; undefined when others receive it. */
  readonly reply?: string | undefined;
  /** Of a client's event, beside those that every event can have. */
  readonly codes: readonly ErrorCode[];
}

/**
 * Every event of every namespace, in the order of the tables.
 * @throws Error naming each example that its own schema refuses
 */
export function referenceEvents(): ReferenceEvent[] {
  const faults: string[] = [];
  const events = [
    ...fromClients('/', CLIENT_EVENTS, CLIENT_REFERENCE, faults),
    ...fromServers('/', 'gateway', SERVER_EVENTS, SERVER_REFERENCE, faults),
    ...fromServers('/', 'service', SERVICE_EVENTS, SERVICE_REFERENCE, faults),
    ...fromClients('/chat', CHAT_CLIENT_EVENTS, CHAT_CLIENT_REFERENCE, faults),
    ...fromServers('/chat', 'gateway', CHAT_SERVER_EVENTS, CHAT_SERVER_REFERENCE, faults),
  ];
  if (faults.length > 0) throw new Error(`wrong examples:\n${faults.join('\n')}`);
  return events;
}

function fromClients<E extends string>(
  namespace: ReferenceEvent['namespace'],
  events: Readonly<Record<E, ClientEvent>>,
  references: Readonly<Record<E, ClientEventReference<unknown>>>,
  faults: string[],
): ReferenceEvent[] {
  return names(events).map((name) => {
    const { payload, reply } = events[name];
    const reference = references[name];
    check(`${namespace} ${name}`, payload, reference.example, faults);
    return {
      namespace,
      sender: 'client',
      name,
      payload: schemaOf(payload, 'input'),
      needsPayload: !payload.safeParse(undefined).success,
      reference,
      reply,
      codes: reference.codes,
    };
  });
}

function fromServers<E extends string>(
  namespace: ReferenceEvent['namespace'],
  sender: Sender,
  events: Readonly<Record<E, ZodType>>,
  references: Readonly<Record<E, EventReference<unknown>>>,
  faults: string[],
): ReferenceEvent[] {
  return names(events).map((name) => {
    const reference = references[name];
    check(`${namespace} ${name}`, events[name], reference.example, faults);
    if (!isDeepStrictEqual(events[name].safeParse(reference.example).data, reference.example))
      faults.push(`${namespace} ${name}: the example has fields that the schema does not know`);
    return {
      namespace,
      sender,
      name,
      payload: schemaOf(events[name], 'output'),
      needsPayload: true,
      reference,
      codes: [],
    };
  });
}

function names<E extends string>(table: Readonly<Record<E, unknown>>): E[] {
  return Object.keys(table) as E[];
}

function check(of: string, schema: ZodType, example: unknown, faults: string[]): void {
  const { error } = schema.safeParse(example);
  if (error) faults.push(`${of}: ${z.prettifyError(error)}`);
}
