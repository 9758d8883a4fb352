import { CHAT_CLIENT_EVENTS } from '@streamgate/protocol/chat-client-events';
import { CLIENT_EVENTS } from '@streamgate/protocol/client-events';
import { CHAT_CLIENT_REFERENCE } from '@streamgate/protocol/reference-chat';
import { CLIENT_REFERENCE } from '@streamgate/protocol/reference-client';
import type { EventReference } from '@streamgate/protocol/reference-types';
import type { Plugin } from 'vite';
import { z } from 'zod';
import type { ClientEvent } from './src/client-event.ts';

const ID = 'virtual:client-events';

/** Gives the page every event of the protocol with its schema as JSON: the page carries no zod. */
export function events(): Plugin {
  return {
    name: 'client-events',
    resolveId: (id) => (id === ID ? `\0${ID}` : undefined),
    load: (id) =>
      id === `\0${ID}`
        ? `export const CLIENT_EVENTS = ${JSON.stringify(clientEvents())};`
        : undefined,
  };
}

interface Tables {
  readonly events: Readonly<Record<string, { readonly payload: z.ZodType }>>;
  readonly reference: Readonly<
    Record<string, Pick<EventReference<unknown>, 'summary' | 'recipients' | 'example'>>
  >;
}

const NAMESPACES: Readonly<Record<string, Tables>> = {
  '/': { events: CLIENT_EVENTS, reference: CLIENT_REFERENCE },
  '/chat': { events: CHAT_CLIENT_EVENTS, reference: CHAT_CLIENT_REFERENCE },
};

/** All events that a client may send, in the order of the tables. */
export function clientEvents(): ClientEvent[] {
  return Object.entries(NAMESPACES).flatMap(([namespace, { events: table, reference }]) =>
    Object.entries(table).map(([name, { payload }]) => {
      const { $schema: _, ...schema } = z.toJSONSchema(payload, {
        io: 'input',
        unrepresentable: 'any',
      });
      const { summary = '', recipients = '', example = null } = reference[name] ?? {};
      return { namespace, name, summary, recipients, example, schema } as ClientEvent;
    }),
  );
}
