import 'reflect-metadata';
import type { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { CHAT_CLIENT_EVENTS, type ChatClientEvent } from '@streamgate/protocol/chat-client-events';
import { CLIENT_EVENTS } from '@streamgate/protocol/client-events';
import type { Namespace } from '@streamgate/protocol/commands';
import {
  GATEWAY_METADATA,
  GATEWAY_OPTIONS,
  MESSAGE_MAPPING_METADATA,
  MESSAGE_METADATA,
} from '@nestjs/websockets/constants';
import type { Session } from '../backplane/session.js';
import { metrics } from '../ops/metrics.js';

/** What a client may say in a namespace, by event: its schema and answers, and one method. */
export interface Handler extends ChatClientEvent {
  readonly handle: (session: Session, payload: unknown) => unknown;
  /** How many came. */
  readonly events: { value: number };
  /** From an event to its answer. */
  readonly seconds: { observe(seconds: number): void };
}
export type Handlers = ReadonlyMap<string, Handler>;

const EVENTS: Readonly<Record<Namespace, Readonly<Record<string, ChatClientEvent>>>> = {
  '/': CLIENT_EVENTS,
  '/chat': CHAT_CLIENT_EVENTS,
};

type Methods = Record<string, ((...args: never[]) => unknown) | undefined>;

/**
 * Finds the method of each client event among the Nest gateways of the application, once at start.
 * Nest itself would bind every method to every socket (measured: 142 KiB of heap a session).
 * @param namespaces those that this node opens
 * @throws Error when an event has no method, two methods, or no schema
 */
export function collectHandlers<N extends Namespace>(
  discovery: DiscoveryService,
  scanner: MetadataScanner,
  namespaces: readonly N[],
): Readonly<Record<N, Handlers>> {
  const found = namespaces.map((namespace) => [
    namespace,
    handlersOf(namespace, discovery, scanner),
  ]);
  return Object.fromEntries(found) as Record<N, Handlers>;
}

function handlersOf(
  namespace: Namespace,
  discovery: DiscoveryService,
  scanner: MetadataScanner,
): Handlers {
  const events = EVENTS[namespace];
  const handlers = new Map<string, Handler>();
  for (const { instance } of discovery.getProviders()) {
    if (!instance || !isGatewayOf(namespace, instance.constructor as object)) continue;
    const methods = instance as Methods;
    for (const name of scanner.getAllMethodNames(Object.getPrototypeOf(instance) as object)) {
      const method = methods[name];
      if (!method || !Reflect.getMetadata(MESSAGE_MAPPING_METADATA, method)) continue;
      const event = Reflect.getMetadata(MESSAGE_METADATA, method) as string;
      const schema = events[event];
      if (!schema) throw new Error(`client event ${event} has no schema`);
      if (handlers.has(event)) throw new Error(`client event ${event} has two methods`);
      handlers.set(event, {
        ...schema,
        handle: method.bind(instance) as Handler['handle'],
        events: metrics.eventsIn.of(event),
        seconds: metrics.eventSeconds.of(namespace),
      });
    }
  }
  const missing = Object.keys(events).filter((event) => !handlers.has(event));
  if (missing.length > 0) throw new Error(`client events without a method: ${missing.join(', ')}`);
  return handlers;
}

function isGatewayOf(namespace: Namespace, gateway: object): boolean {
  if (!Reflect.getMetadata(GATEWAY_METADATA, gateway)) return false;
  const options = Reflect.getMetadata(GATEWAY_OPTIONS, gateway) as { namespace?: string };
  return (options.namespace ?? '/') === namespace;
}
