import { CLOSINGS } from '../../protocol/dist/closings.js';
import { ERRORS, type ErrorCode } from '../../protocol/dist/errors.js';
import { COMMON_CODES } from '../../protocol/dist/reference-types.js';
import { OPERATIONS, Problem } from '../../protocol/dist/rest.js';
import { CALLERS, type Operation } from '../../protocol/dist/rest-operation.js';
import { OutcomeAnswer } from '../../protocol/dist/rest-v1.js';
import { referenceEvents, type ReferenceEvent, type Sender } from './events.ts';
import { fieldsOf, type Field } from './fields.ts';
import { referencePatterns } from './patterns.ts';
import { schemaOf } from './schema.ts';
import { referenceStreams } from './streams.ts';

/** The readable pages of `docs/reference/`. Each is made whole from the schemas of `protocol/`. */

const MADE = 'Made by `make reference` from the schemas of `protocol/`; do not edit.';

const ABOUT: Record<Sender, string> = {
  client:
    'What a client may send. The acknowledgement, when asked for, carries `{data}` (the payload of the reply event, or `{scope}` where others receive the event: `cluster`, or `local` while Redis is away) or `{error}`. A failure also emits `error`, unless said otherwise. Fields that are not listed are ignored.',
  gateway: 'What the gateway itself sends to clients. A later version may add fields.',
  service:
    'What the documents’ services send through a [door](../services.md). It passes as sent, and so does an event of any other name: these payloads are a convention, never checked.',
};

interface EventPage {
  /** In `docs/reference/`, without its ending. */
  readonly file: string;
  readonly title: string;
  readonly namespace: ReferenceEvent['namespace'];
  readonly sender: Sender;
}

const EVENT_PAGES: readonly EventPage[] = [
  { file: 'client-events', title: 'Events from clients', namespace: '/', sender: 'client' },
  { file: 'server-events', title: 'Events to clients', namespace: '/', sender: 'gateway' },
  { file: 'service-events', title: 'Events of services', namespace: '/', sender: 'service' },
  {
    file: 'chat-client-events',
    title: 'Events from clients',
    namespace: '/chat',
    sender: 'client',
  },
  { file: 'chat-server-events', title: 'Events to clients', namespace: '/chat', sender: 'gateway' },
];

/** Every page by its file name in `docs/reference/`. */
export const PAGES: Readonly<Record<string, () => string>> = {
  'README.md': renderIndex,
  ...Object.fromEntries(EVENT_PAGES.map((page) => [`${page.file}.md`, () => renderEvents(page)])),
  'streams.md': renderStreams,
  'doors.md': renderDoors,
  'rest.md': renderRest,
  'errors.md': renderErrors,
};

function renderIndex(): string {
  const events = referenceEvents();
  const rows = EVENT_PAGES.flatMap((page) =>
    of(page, events).map((event) => [
      `[\`${event.name}\`](${page.file}.md#${anchor(event.name)})`,
      `\`${event.namespace}\``,
      page.sender === 'client' ? 'from clients' : `to clients, by ${byWhom(page.sender)}`,
      origin(event),
      event.reference.summary,
    ]),
  );
  return markdown('The protocol', [
    'Every event, stream entry and path. For programs: [asyncapi.json](asyncapi.json) (AsyncAPI 3) has the events, the streams and the messages of the doors, [openapi.json](../openapi.json) (OpenAPI 3.1) the paths.',
    '',
    '- [Streams of Redis](streams.md): commands, receipts, dead letters, what services hear of clients',
    '- [Paths of the REST door](rest.md)',
    '- [Errors and closings](errors.md)',
    '- [Messages of Nest TCP and Kafka](doors.md): the patterns of document 1 and the topics',
    '',
    '## Events',
    '',
    ...table(['event', 'namespace', 'direction', 'from', 'meaning'], rows),
  ]);
}

function renderEvents(kind: EventPage): string {
  const sections = of(kind, referenceEvents()).flatMap((event) => [
    '',
    `## \`${event.name}\``,
    '',
    event.reference.summary,
    '',
    `- From: ${origin(event)}`,
    `- Received by: ${event.reference.recipients}`,
    ...(event.sender === 'client'
      ? [
          `- Reply: ${event.reply === undefined ? 'the acknowledgement only' : `\`${event.reply}\``}`,
          ...(event.codes.length > 0 ? [`- Errors: ${codes(event.codes)}`] : []),
        ]
      : []),
    `- Payload${event.needsPayload ? '' : ' (may be missing)'}:`,
    '',
    ...fieldTable(fieldsOf(event.payload)),
    '',
    ...json(event.reference.example),
  ]);
  const common =
    kind.sender === 'client' ? ['', `Every event can be refused with ${codes(COMMON_CODES)}.`] : [];
  return markdown(`${kind.title}, namespace \`${kind.namespace}\``, [
    ABOUT[kind.sender],
    ...common,
    ...sections,
  ]);
}

function renderStreams(): string {
  return markdown('Streams of Redis', [
    'Public names, with the default of `STREAMGATE_REDIS_PREFIX`. Every value of an entry is text. [services.md](../services.md) tells how to write commands, [events-out.md](../events-out.md) how to hear clients.',
    ...referenceStreams().flatMap(([name, { address, summary, direction, schema, examples }]) => [
      '',
      `## ${name[0]!.toUpperCase()}${name.slice(1).replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}: \`${address}\``,
      '',
      `${summary} ${direction === 'receive' ? 'Services write, the gateway reads.' : 'The gateway writes, services read.'}`,
      '',
      ...fieldTable(fieldsOf(schemaOf(schema, 'output'))),
      ...examples.flatMap((example) => ['', ...json(example)]),
    ]),
  ]);
}

function renderDoors(): string {
  return markdown('Messages of Nest TCP and Kafka', [
    'One command each, as JSON. [tcp.md](../tcp.md) and [kafka.md](../kafka.md) tell how to send them and what to rely on; `STREAMGATE_KAFKA_TOPIC_PREFIX` stands before each topic.',
    ...referencePatterns().flatMap(({ pattern, topic, payload, reference }) => [
      '',
      `## \`${pattern ?? topic}\``,
      '',
      reference.summary,
      '',
      `- From: ${pattern === undefined ? 'Streamgate' : 'document 1'}`,
      ...(pattern === undefined ? [] : [`- Nest TCP: the pattern \`${pattern}\``]),
      `- Kafka: the topic \`${topic}\`, with what cannot be executed in \`${topic}.dead\``,
      '',
      ...fieldTable(fieldsOf(payload)),
      ...reference.examples.flatMap((example) => ['', ...json(example)]),
    ]),
    '',
    '## The answer to a request',
    '',
    'What a Nest client’s `send` is answered; `emit`, and Kafka, answer nothing. A refusal is the body of an [error](errors.md).',
    '',
    ...fieldTable(fieldsOf(schemaOf(OutcomeAnswer, 'output'))),
  ]);
}

function renderRest(): string {
  const sections = Object.entries<Operation>(OPERATIONS).flatMap(([name, operation]) => {
    const { method, path, summary, permission, params, query, headers, body, answer } = operation;
    const asked = [
      ...[params, query, headers].flatMap((schema) =>
        schema ? fieldsOf(schemaOf(schema, 'input')) : [],
      ),
      ...(body ? fieldsOf(schemaOf(body, 'input')) : []),
    ];
    const examples = [body, answer].flatMap((schema) => {
      const example = schema?.meta()?.examples?.[0];
      if (example === undefined) return [];
      const { error } = schema!.safeParse(example);
      if (error) throw new Error(`wrong example of ${name}: ${error.message}`);
      return ['', schema === body ? 'Body:' : 'Answer:', '', ...json(example)];
    });
    return [
      '',
      `## \`${method.toUpperCase()} ${path}\``,
      '',
      `${summary}. ${CALLERS[permission]}`,
      ...(operation.codes ? ['', `Errors: ${codes(operation.codes)}`] : []),
      ...(asked.length > 0 ? ['', 'Asked:', '', ...fieldTable(asked)] : []),
      '',
      'Answered:',
      '',
      ...fieldTable(fieldsOf(schemaOf(answer, 'output'))),
      ...examples,
    ];
  });
  return markdown('Paths of the REST door', [
    'Every request carries `Authorization: Bearer <JWT>`. A failure is a problem document (RFC 9457):',
    '',
    ...fieldTable(fieldsOf(schemaOf(Problem, 'output'))),
    ...sections,
  ]);
}

function renderErrors(): string {
  return markdown('Errors and closings', [
    'An error is `{message, code, retryable, retryAfterMs?}` wherever it appears: in an acknowledgement, in the event `error`, in `connect_error` (`data`), in a dead letter or receipt (`code`), in a problem document of REST.',
    '',
    ...table(
      ['code', 'message', 'try again', 'REST status'],
      Object.entries(ERRORS).map(([code, { message, retryable, status }]) => [
        `<a id="${code}"></a>\`${code}\``,
        message,
        retryable ? 'yes' : 'no',
        String(status),
      ]),
    ),
    '',
    '## How the gateway ends a session',
    '',
    'By `transport` and `terminate` the stock client comes back by itself; by `disconnect` it does not.',
    '',
    ...table(
      ['cause', 'code of the `error` sent first', 'method'],
      Object.entries(CLOSINGS).map(([cause, { code, method }]) => [
        `\`${cause}\``,
        code === undefined ? '' : `\`${code}\``,
        `\`${method}\``,
      ]),
    ),
  ]);
}

function of(kind: EventPage, events: ReferenceEvent[]): ReferenceEvent[] {
  return events.filter(
    ({ namespace, sender }) => namespace === kind.namespace && sender === kind.sender,
  );
}

function byWhom(sender: Sender): string {
  return sender === 'gateway' ? 'the gateway' : 'services';
}

function origin({ reference }: ReferenceEvent): string {
  const origins = [reference.origin].flat();
  if (origins[0] === 'streamgate') return 'Streamgate';
  return `document${origins.length > 1 ? 's' : ''} ${origins.join(', ')}`;
}

function codes(list: readonly ErrorCode[]): string {
  return list.map((code) => `[\`${code}\`](errors.md#${code})`).join(', ');
}

function fieldTable(fields: readonly Field[]): string[] {
  return table(
    ['field', 'type', 'may be missing', 'limits'],
    fields.map(({ name, type, optional, notes }) => [
      name === '' ? '(itself)' : `\`${name}\``,
      type,
      optional ? 'optional' : '',
      notes,
    ]),
  );
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [header, header.map(() => '---'), ...rows].map(
    (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`,
  );
}

function json(value: unknown): string[] {
  return ['```json', JSON.stringify(value, null, 2), '```'];
}

function anchor(name: string): string {
  return name.toLowerCase().replaceAll(/[^\w-]/g, '');
}

function markdown(title: string, lines: readonly string[]): string {
  return [`# ${title}`, '', MADE, '', ...lines, ''].join('\n');
}
