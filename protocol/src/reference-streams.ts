import { z } from 'zod';
import type { CommandField } from './command-fields.js';
import { OutboundEntry } from './outbound.js';
import type { DeadLetter, Receipt } from './stream.js';

/** What the reference says of the entries of the public streams; a missing field does not compile. */

const field = (description: string, optional = true) => {
  const text = z.string().meta({ description });
  return optional ? text.optional() : text;
};

/** The fields of a command as they stand in an entry, where every value is text. */
export const CommandEntry = z.object({
  to: field('A room name, a JSON array of them, or `*` for everyone in the namespace', false),
  except: field('Rooms whose sessions are left out; as `to`, without `*`'),
  event: field('Name of the event, 1 to 200 characters; needed by `emit`'),
  data: field('JSON that arrives as sent; absent: no argument'),
  action: field('`emit` (default), `join`, `leave` or `disconnect`'),
  source: field('Name of the service, the scope of its ids'),
  id: field('Idempotency key: executed once for a source within the window'),
  key: field('Ordering key; `to` as written when absent'),
  ttl: field('Whole seconds after which it is no longer worth delivering'),
  durable: field('`1`: kept in the inbox of each addressed user until taken'),
  volatile: field('`1`: a session that is not ready may miss it'),
  receipt: field('`streamgate:receipt:<something>`: the stream that the outcome is written to'),
  nsp: field('Namespace: `/` (default) or `/chat`'),
  traceparent: field('W3C trace context; a wrong one is ignored'),
  tracestate: field('W3C trace context; a wrong one is ignored'),
} satisfies Record<CommandField, z.ZodType>);

const DeadEntry = CommandEntry.partial().extend({
  reason: z.string().meta({ description: 'What was wrong, for people' }),
  code: z.string().meta({ description: 'Of the error catalogue' }),
  time: z.string().meta({ description: 'Milliseconds since the epoch' }),
  node: z.string().meta({ description: 'The node that gave up on it' }),
  stream: z.string().meta({ description: 'The stream or topic that it stood in' }),
  entry: z.string().meta({ description: 'Its id there' }),
} satisfies Record<keyof DeadLetter, z.ZodType>);

const ReceiptEntry = z.object({
  id: field('The command’s own `id`'),
  entry: field('Id of the command’s entry'),
  outcome: z.enum(['done', 'duplicate', 'expired', 'refused']),
  code: field('Of the error catalogue, when refused'),
  sessions: field('Sessions of the addressed users, when known'),
  inboxed: field('Inboxes that it was stored in', false),
  node: field('The node that executed it', false),
  time: field('Milliseconds since the epoch', false),
} satisfies Record<keyof Receipt, z.ZodType>);

/** A public stream of Redis, by what stands in it. */
export interface StreamReference {
  /** With the default prefix. */
  readonly address: string;
  readonly summary: string;
  /** `receive`: services write, the gateway reads. */
  readonly direction: 'receive' | 'send';
  readonly schema: z.ZodObject;
  readonly examples: readonly Readonly<Record<string, string>>[];
}

const TIME = '1795253400000';

export const STREAM_REFERENCE = {
  command: {
    address: 'streamgate:emit',
    summary:
      'What services ask for. Partition 0; with more, the others are `streamgate:emit:1` and so on.',
    direction: 'receive',
    schema: CommandEntry,
    examples: [
      { to: 'user:42', event: 'quiz:created', data: '{"quizId":7}' },
      { to: '["course:1","role:ADMIN"]', except: 'user:7', event: 'course_update', data: '{}' },
      {
        to: 'user:42',
        event: 'order:paid',
        data: '{"order":1}',
        durable: '1',
        source: 'shop',
        id: 'order-1',
        receipt: 'streamgate:receipt:shop',
      },
      { action: 'join', to: 'user:42', data: '{"room":"quiz:7"}', key: 'quiz:7' },
      { action: 'disconnect', to: 'user:42', data: '{"code":"banned","revoke":3600}' },
    ],
  },
  deadLetter: {
    address: 'streamgate:emit:dead',
    summary: 'What could not be executed: its own fields, then why.',
    direction: 'send',
    schema: DeadEntry,
    examples: [
      {
        to: 'user:42',
        event: 'quiz:created',
        data: '{"quizId":',
        reason: 'Not JSON',
        code: 'invalid_json',
        time: TIME,
        node: 'gateway-1',
        stream: 'streamgate:emit',
        entry: '1795253400000-0',
      },
    ],
  },
  receipt: {
    address: 'streamgate:receipt:{name}',
    summary: 'What became of a command that asked for a receipt.',
    direction: 'send',
    schema: ReceiptEntry,
    examples: [
      {
        id: 'order-1',
        entry: '1795253400000-0',
        outcome: 'done',
        sessions: '2',
        inboxed: '0',
        node: 'gateway-1',
        time: TIME,
      },
    ],
  },
  outbound: {
    address: 'streamgate:events',
    summary: 'What clients said and did, for services that asked by `STREAMGATE_EVENTS_OUT`.',
    direction: 'send',
    schema: OutboundEntry,
    examples: [
      {
        type: 'message',
        nsp: '/',
        userId: '42',
        sessionId: 'mWJtQ4tuhEsCoNzyAAAB',
        event: 'message',
        data: '{"message":"Hello from client!"}',
        time: '2026-11-21T09:30:00.000Z',
      },
    ],
  },
} as const satisfies Record<string, StreamReference>;
