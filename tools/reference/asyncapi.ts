import { Parser } from '@asyncapi/parser';
import { ERRORS } from '../../protocol/dist/errors.js';
import { ErrorEvent } from '../../protocol/dist/server-events.js';
import { referenceEvents, type ReferenceEvent } from './events.ts';
import { schemaOf, type JsonSchema } from './schema.ts';
import { referenceStreams } from './streams.ts';

type Ref = { $ref: string };

interface Message {
  name: string;
  title: string;
  summary: string;
  description?: string;
  payload: JsonSchema;
  examples: { payload: unknown }[];
}

const CHANNELS = { '/': 'main', '/chat': 'chat' } as const;

/**
 * The protocol as AsyncAPI 3, seen from the gateway: it receives what clients and services send.
 * @throws Error with the diagnostics of AsyncAPI's own parser, when it refuses the document
 */
export async function renderAsyncApi(): Promise<string> {
  const text = `${JSON.stringify(asyncApiDocument(), null, 2)}\n`;
  const diagnostics = await new Parser().validate(text);
  // Severity 0 is an error, 1 a warning; the rest are hints of style.
  const faults = diagnostics.filter(({ severity }) => severity <= 1);
  if (faults.length > 0)
    throw new Error(
      `not AsyncAPI:\n${faults.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n')}`,
    );
  return text;
}

function asyncApiDocument() {
  const events = referenceEvents();
  const streams = referenceStreams();
  const messages: Record<string, Message> = {};
  for (const event of events) messages[idOf(event)] = messageOf(event);
  for (const [name, { summary, schema, examples }] of streams)
    messages[name] = {
      name,
      title: name,
      summary,
      payload: schemaOf(schema, 'output'),
      examples: examples.map((payload) => ({ payload })),
    };
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Streamgate',
      version: '1.0.0',
      description:
        'Events between clients and the gateway over Socket.IO, and the entries of its public Redis streams. An event is a Socket.IO event of the message’s name with the payload as its only argument; an acknowledgement carries `{data}`, the payload of the reply, or `{error}`.',
      license: { name: 'Apache 2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      gateway: {
        host: 'localhost:3000',
        protocol: 'wss',
        protocolVersion: '5',
        description: 'Socket.IO, protocol 5 over Engine.IO 4; the port of `STREAMGATE_HTTP_PORT`',
        security: [{ $ref: '#/components/securitySchemes/token' }],
      },
      redis: {
        host: 'localhost:6379',
        protocol: 'redis',
        description: 'The Redis of `STREAMGATE_REDIS_URL`; who can write to it is trusted',
      },
    },
    channels: {
      ...Object.fromEntries(
        Object.entries(CHANNELS).flatMap(([namespace, id]) => {
          const own = events.filter((event) => event.namespace === namespace);
          if (own.length === 0) return [];
          return [
            [
              id,
              {
                address: namespace,
                title: `Namespace ${namespace}`,
                servers: [{ $ref: '#/servers/gateway' }],
                messages: refs(own.map(idOf)),
              },
            ],
          ];
        }),
      ),
      ...Object.fromEntries(
        streams.map(([name, { address, summary }]) => [
          name,
          {
            address,
            title: name,
            description: summary,
            servers: [{ $ref: '#/servers/redis' }],
            messages: refs([name]),
            ...(address.includes('{name}') && {
              parameters: { name: { description: 'Made up by the service that asks' } },
            }),
          },
        ]),
      ),
    },
    operations: {
      ...Object.fromEntries(events.map((event) => [idOf(event), operationOf(event)])),
      ...Object.fromEntries(
        streams.map(([name, { direction, summary }]) => [
          name,
          { action: direction, summary, channel: channel(name), messages: [inChannel(name, name)] },
        ]),
      ),
    },
    components: {
      messages,
      schemas: { Error: schemaOf(ErrorEvent, 'output'), ErrorCode: errorCodes() },
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'A JWT as `auth.token` of the handshake, as `Authorization: Bearer`, or as `token` in the query',
        },
      },
    },
  };
}

/** Names differ in case or punctuation only: `join-room` and `join_room`. They stay as they are. */
function idOf({ namespace, sender, name }: ReferenceEvent): string {
  return `${CHANNELS[namespace]}.${sender}.${name.replaceAll(':', '.')}`;
}

function messageOf({ name, payload, reference, codes }: ReferenceEvent): Message {
  return {
    name,
    title: name,
    summary: reference.summary,
    description: [
      `Received by: ${reference.recipients}.`,
      ...(codes.length > 0 ? [`Refused with: ${codes.join(', ')}.`] : []),
    ].join(' '),
    payload,
    examples: [{ payload: reference.example }],
  };
}

function operationOf(event: ReferenceEvent) {
  const id = CHANNELS[event.namespace];
  return {
    action: event.sender === 'client' ? 'receive' : 'send',
    summary: event.reference.summary,
    channel: channel(id),
    messages: [inChannel(id, idOf(event))],
    ...(event.reply !== undefined && {
      reply: {
        channel: channel(id),
        messages: [inChannel(id, idOf({ ...event, sender: 'gateway', name: event.reply }))],
      },
    }),
  };
}

function refs(ids: string[]): Record<string, Ref> {
  return Object.fromEntries(ids.map((id) => [id, { $ref: `#/components/messages/${id}` }]));
}

function channel(id: string): Ref {
  return { $ref: `#/channels/${id}` };
}

function inChannel(id: string, message: string): Ref {
  return { $ref: `#/channels/${id}/messages/${message}` };
}

function errorCodes(): JsonSchema {
  return { type: 'string', enum: Object.keys(ERRORS) };
}
