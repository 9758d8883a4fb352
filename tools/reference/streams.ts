import { z } from 'zod';
import { parseCommand } from '../../protocol/dist/commands.js';
import { STREAM_REFERENCE, type StreamReference } from '../../protocol/dist/reference-streams.js';
import { commandOfEntry } from '../../protocol/dist/stream.js';

/**
 * The public streams with their entries.
 * @throws Error when an example is no entry of its stream, or no command that would be executed
 */
export function referenceStreams(): [name: string, stream: StreamReference][] {
  const streams = Object.entries<StreamReference>(STREAM_REFERENCE);
  for (const [name, { schema, examples }] of streams)
    for (const example of examples) {
      const { error } = schema.strict().safeParse(example);
      if (error) throw new Error(`wrong example of ${name}: ${z.prettifyError(error)}`);
    }
  for (const example of STREAM_REFERENCE.command.examples)
    parseCommand(commandOfEntry(Object.entries(example).flat()));
  return streams;
}
