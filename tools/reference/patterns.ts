import { kafkaNames, type Format } from '../../gateway/dist/ingest/kafka/kafka-names.js';
import { commandOfFields } from '../../protocol/dist/command-fields.js';
import { parseCommand } from '../../protocol/dist/commands.js';
import { commandOfPattern } from '../../protocol/dist/patterns.js';
import {
  PATTERN_REFERENCE,
  type PatternReference,
} from '../../protocol/dist/reference-patterns.js';
import { schemaOf, type JsonSchema } from './schema.ts';

/** A message of the TCP door, the Kafka door or both as the reference shows it. */
export interface ReferencePattern {
  /** Undefined: only a topic has it. */
  readonly pattern: string | undefined;
  /** Without a prefix. */
  readonly topic: string;
  readonly payload: JsonSchema;
  readonly reference: PatternReference;
}

/**
 * Every message that the two doors take, in the order of the topics.
 * @throws Error when an example is no command that would be executed
 */
export function referencePatterns(): ReferencePattern[] {
  return [...kafkaNames().formats].map(([topic, format]) => {
    const reference = PATTERN_REFERENCE[format];
    for (const example of reference.examples) check(format, example);
    return {
      pattern: format === 'command' ? undefined : format,
      topic,
      payload: schemaOf(reference.schema, 'input'),
      reference,
    };
  });
}

function check(format: Format, example: object): void {
  try {
    parseCommand(
      format === 'command' ? commandOfFields(example) : commandOfPattern(format, example),
    );
  } catch (error) {
    throw new Error(`wrong example of ${format}: ${(error as Error).message}`, { cause: error });
  }
}
