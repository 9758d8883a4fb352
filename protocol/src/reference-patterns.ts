import { z } from 'zod';
import { CommandJson } from './command-json.js';
import { EventName } from './commands.js';
import { ADDRESSES, type Pattern } from './patterns.js';

/** What the reference says of the messages that services send over Nest TCP and Kafka. */
export interface PatternReference {
  /** One sentence. */
  readonly summary: string;
  readonly schema: z.ZodObject;
  /** Messages as they travel; each is read as a command whenever the reference is made. */
  readonly examples: readonly Readonly<Record<string, unknown>>[];
}

/** Beside its own address a pattern carries every field of an event. */
const { to: _to, action: _action, ...ofEvents } = CommandJson.shape;
const message = (pattern: Pattern) =>
  z.object({
    ...ADDRESSES[pattern].shape,
    ...ofEvents,
    event: EventName.meta({ description: 'Name of the event' }),
  });

const event = 'quiz:created';
const data = { quizId: 7 };

/** By pattern; `command`: what Kafka takes in a topic of its own. */
export const PATTERN_REFERENCE: Readonly<Record<Pattern | 'command', PatternReference>> = {
  'ws:emit:user': {
    summary: 'An event for one user.',
    schema: message('ws:emit:user'),
    examples: [
      { userId: '42', event, data },
      { userId: 42, event, data, durable: true, source: 'quiz', id: 'quiz-7' },
      { userId: '42', event: 'join:room', data: { room: 'quiz:7' } },
    ],
  },
  'ws:emit:users': {
    summary: 'An event for several users.',
    schema: message('ws:emit:users'),
    examples: [{ userIds: ['42', 7], event, data }],
  },
  'ws:broadcast': {
    summary: 'An event for everyone in the namespace.',
    schema: message('ws:broadcast'),
    examples: [{ event, data, volatile: true }],
  },
  'ws:emit:room': {
    summary: 'An event for those in a room.',
    schema: message('ws:emit:room'),
    examples: [{ room: 'quiz:7', event, data, except: 'user:42' }],
  },
  command: {
    summary: 'Any command, with the fields of the contract.',
    schema: CommandJson.required({ to: true }).strip(),
    examples: [
      { to: ['user:42', 'role:ADMIN'], event, data, ttl: 60 },
      { action: 'join', to: 'user:42', data: { room: 'quiz:7' } },
      { action: 'disconnect', to: 'user:42', data: { code: 'banned', revoke: 3600 } },
    ],
  },
};
