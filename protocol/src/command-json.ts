import { z } from 'zod';
import type { CommandField } from './command-fields.js';

/** JSON Schema for people and generators: what the values may be is for `parseCommand` to say. */
export function field(description: string, schema: Record<string, unknown> = { type: 'string' }) {
  return z.unknown().optional().meta({ description, override: schema });
}

const ROOMS = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] };
const FLAG = { type: 'boolean' };

/** A command as the fields of the contract in JSON, as every door but the streams takes it. */
export const CommandJson = z.looseObject({
  to: field('A room name (`user:<id>`, `role:<role>`, any other), a list of them, or `*`', ROOMS),
  except: field('Rooms whose sessions are left out', ROOMS),
  event: field('Name of the event'),
  data: field('Any JSON, arrives as sent; absent = no argument', {}),
  action: field('What to do; `emit` when absent', {
    type: 'string',
    enum: ['emit', 'join', 'leave', 'disconnect'],
  }),
  source: field('Name of the service, scope of its ids'),
  id: field('Executed once for a source under this id, within the window'),
  key: field('Ordering key'),
  ttl: field('Seconds after which it is no longer worth executing', { type: 'integer' }),
  durable: field('Kept in the inbox of each addressed user until taken', FLAG),
  volatile: field('A session that is not ready may miss it', FLAG),
  receipt: field('Stream that the outcome is also written to: `streamgate:receipt:<something>`'),
  nsp: field('Namespace; `/` when absent'),
  traceparent: field('W3C trace context'),
  tracestate: field('W3C trace context'),
} satisfies Record<CommandField, z.ZodType>);
