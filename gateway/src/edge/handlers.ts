import 'reflect-metadata';
import type { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { CLIENT_EVENTS } from '@streamgate/protocol/client-events';
import {
  GATEWAY_METADATA,
  MESSAGE_MAPPING_METADATA,
  MESSAGE_METADATA,
} from '@nestjs/websockets/constants';
import type { Handler, Handlers } from './dispatch.js';

type Methods = Record<string, ((...args: never[]) => unknown) | undefined>;

/**
 * Finds the method of each client event among the Nest gateways of the application, once at start.
 * Nest itself would bind every method to every socket (measured: 142 KiB of heap a session).
 * @throws Error when an event has no method, two methods, or no schema
 */
export function collectHandlers(discovery: DiscoveryService, scanner: MetadataScanner): Handlers {
  const handlers = new Map<string, Handler>();
  for (const { instance } of discovery.getProviders()) {
    if (!instance || !Reflect.getMetadata(GATEWAY_METADATA, instance.constructor as object))
      continue;
    const methods = instance as Methods;
    for (const name of scanner.getAllMethodNames(Object.getPrototypeOf(instance) as object)) {
      const method = methods[name];
      if (!method || !Reflect.getMetadata(MESSAGE_MAPPING_METADATA, method)) continue;
      const event = Reflect.getMetadata(MESSAGE_METADATA, method) as string;
      if (!(event in CLIENT_EVENTS)) throw new Error(`client event ${event} has no schema`);
      if (handlers.has(event)) throw new Error(`client event ${event} has two methods`);
      handlers.set(event, method.bind(instance) as Handler);
    }
  }
  const missing = Object.keys(CLIENT_EVENTS).filter((event) => !handlers.has(event));
  if (missing.length > 0) throw new Error(`client events without a method: ${missing.join(', ')}`);
  return handlers;
}
