import { Parser } from '@asyncapi/parser';
import { ERRORS } from '../../protocol/dist/errors.js';
import { OutcomeAnswer } from '../../protocol/dist/rest-v1.js';
import { ErrorEvent } from '../../protocol/dist/server-events.js';
import { referenceEvents, type ReferenceEvent } from './events.ts';
import { referencePatterns, type ReferencePattern } from './patterns.ts';
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

/** What the TCP door answers to `send`, under this name. */
const OUTCOME = 'outcome';

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
  const patterns = referencePatterns();
  const doors = patterns.flatMap(doorChannels);
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
  for (const { topic, payload, reference } of patterns)
    messages[topic] = {
      name: topic,
      title: topic,
      summary: reference.summary,
      payload,
      examples: reference.examples.map((example) => ({ payload: example })),
    };
  messages[OUTCOME] = {
    name: OUTCOME,
    title: OUTCOME,
    summary: 'What became of a message that was sent as a request.',
    payload: schemaOf(OutcomeAnswer, 'output'),
    examples: [{ payload: { outcome: 'done', sessions: 1, inboxed: 0 } }],
  };
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Streamgate',
      version: '1.0.0',
      description:
        'Events between clients and the gateway over Socket.IO, the entries of its public Redis streams, and the messages of its doors for Nest TCP and Kafka. An event is a Socket.IO event of the message’s name with the payload as its only argument; an acknowledgement carries `{data}`, the payload of the reply, or `{error}`.',
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
      tcp: {
        host: 'localhost:4001',
        protocol: 'nestjs-tcp',
        description:
          'The TCP door, off unless `STREAMGATE_TCP_PORT` is set; it has no authentication',
      },
      kafka: {
        host: 'localhost:9092',
        protocol: 'kafka',
        description:
          'The brokers of `STREAMGATE_KAFKA_BROKERS`; `STREAMGATE_KAFKA_TOPIC_PREFIX` stands before each topic',
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
      ...Object.fromEntries(
        doors.map(({ id, server, address, topic, answered, summary }) => [
          id,
          {
            address,
            title: id,
            description: summary,
            servers: [{ $ref: `#/servers/${server}` }],
            messages: refs(answered ? [topic, OUTCOME] : [topic]),
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
      ...Object.fromEntries(
        doors.map(({ id, topic, answered, summary }) => [
          id,
          {
            action: 'receive',
            summary,
            channel: channel(id),
            messages: [inChannel(id, topic)],
            ...(answered && {
              reply: { channel: channel(id), messages: [inChannel(id, OUTCOME)] },
            }),
          },
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

/** One channel at each door that takes the message. */
function doorChannels({ pattern, topic, reference: { summary } }: ReferencePattern) {
  const kafka = { id: `kafka.${topic}`, server: 'kafka', address: topic, topic, summary };
  if (pattern === undefined) return [{ ...kafka, answered: false }];
  const tcp = { id: `tcp.${topic}`, server: 'tcp', address: pattern, topic, summary };
  return [
    { ...tcp, answered: true },
    { ...kafka, answered: false },
  ];
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
