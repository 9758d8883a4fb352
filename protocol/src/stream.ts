import {
  COMMAND_FIELDS,
  type CommandFields,
  commandOfFields,
  fieldsOfCommand,
  isCommandField,
  unknownField,
} from './command-fields.js';
import type { CommandInput } from './commands.js';
import { GatewayError } from './errors.js';

/** The consumer group that executes commands, in every partition. */
export const COMMAND_GROUP = 'streamgate';

/** The public names in Redis, which any service may use. @param prefix `STREAMGATE_REDIS_PREFIX` */
export function streamNames(prefix: string) {
  const emit = `${prefix}:emit`;
  return {
    /** The stream of a partition, counted from 0. */
    partition: (index: number) => (index === 0 ? emit : `${emit}:${index}`),
    /** What could not be executed. */
    dead: `${emit}:dead`,
    /** Where the number of partitions is published, as text. */
    partitions: `${emit}:partitions`,
    /** Where the name of every receipt stream begins. */
    receipts: `${prefix}:receipt:`,
    /** What clients said and did, for services that asked. */
    events: `${prefix}:events`,
  };
}

/** The partition of an ordering key: CRC32 (IEEE) of its UTF-8, modulo their number. */
export function partitionOf(key: string, partitions: number): number {
  return crc32(new TextEncoder().encode(key)) % partitions;
}

/** The ordering key of an entry: its `key`, or its `to` exactly as written. */
export function orderingKey(entry: readonly string[]): string {
  return fieldOf(entry, 'key') ?? fieldOf(entry, 'to') ?? '';
}

/** The value of a field of an entry, or undefined. */
export function fieldOf(entry: readonly string[], name: string): string | undefined {
  const index = entry.findIndex((text, at) => at % 2 === 0 && text === name);
  return index === -1 ? undefined : entry[index + 1];
}

/**
 * An entry of the stream -> a command, not yet validated.
 * @param entry fields and values in turn, as Redis gives them
 * @param maxBytes of names and values together, as UTF-8
 * @throws GatewayError `payload_too_large`, `invalid_json`, `invalid_to`, `invalid_ttl`,
 *   `invalid_payload` for a field given twice, and as `commandOfFields`
 */
export function commandOfEntry(entry: readonly string[], maxBytes = Infinity): CommandInput {
  if (isLarger(entry, maxBytes)) throw new GatewayError('payload_too_large');
  const fields: CommandFields = {};
  let unknown: string | undefined;
  for (let index = 0; index + 1 < entry.length; index += 2) {
    const name = entry[index]!;
    if (Object.hasOwn(fields, name) || name === unknown)
      throw new GatewayError('invalid_payload', 'A field is given twice');
    if (isCommandField(name)) fields[name] = valueOf(name, entry[index + 1]!);
    else unknown ??= name;
  }
  if (unknown !== undefined) throw unknownField(unknown);
  return commandOfFields(fields);
}

/**
 * A command -> the fields and values of its entry, in turn.
 * @throws GatewayError `invalid_payload` when it has more than one argument or is not JSON
 */
export function entryOfCommand(input: CommandInput): string[] {
  const fields = fieldsOfCommand(input);
  return COMMAND_FIELDS.flatMap((name) => {
    const value = fields[name];
    if (value === undefined && !(name === 'data' && 'data' in fields)) return [];
    return [name, textOf(name, value)];
  });
}

/** A character of JavaScript is three bytes at most: nearly always there is nothing to encode. */
function isLarger(entry: readonly string[], maxBytes: number): boolean {
  let characters = 0;
  for (const text of entry) characters += text.length;
  return characters * 3 > maxBytes && entryBytes(entry) > maxBytes;
}

/** Bytes of an entry's names and values as UTF-8. */
export function entryBytes(entry: readonly string[]): number {
  const encoder = new TextEncoder();
  return entry.reduce((sum, text) => sum + encoder.encode(text).length, 0);
}

/** What the gateway adds to a dead entry, behind the fields that the service wrote. */
export interface DeadLetter {
  /** For people. */
  readonly reason: string;
  /** Of the error catalogue. */
  readonly code: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** The node that gave up on it. */
  readonly node: string;
  /** The stream (or topic) that it stood in, and its id there. */
  readonly stream: string;
  readonly entry: string;
}
const DEAD_FIELDS = ['reason', 'code', 'time', 'node', 'stream', 'entry'] as const;

/** A dead entry: the service's own fields as they were, then ours. */
export function entryOfDead(fields: readonly string[], letter: DeadLetter): string[] {
  return [...fields, ...DEAD_FIELDS.flatMap((name) => [name, String(letter[name])])];
}

/** The way back; undefined for an entry that is no dead letter. */
export function deadOfEntry(
  entry: readonly string[],
): { fields: string[]; letter: DeadLetter } | undefined {
  const own = entry.slice(-2 * DEAD_FIELDS.length);
  if (!DEAD_FIELDS.every((name, index) => own[2 * index] === name)) return undefined;
  const [reason, code, time, node, stream, id] = own.filter((_, index) => index % 2 === 1);
  return {
    fields: entry.slice(0, -own.length),
    letter: {
      reason: reason!,
      code: code!,
      time: Number(time),
      node: node!,
      stream: stream!,
      entry: id!,
    },
  };
}

/** An entry of a receipt stream: every value as text, absent what is not known. */
export interface Receipt {
  /** The command's own `id`. */
  readonly id?: string;
  /** Id of its entry in the stream. */
  readonly entry?: string;
  readonly outcome: 'done' | 'duplicate' | 'expired' | 'refused';
  /** Of the error catalogue, when refused. */
  readonly code?: string;
  readonly sessions?: string;
  readonly inboxed: string;
  readonly node: string;
  /** Milliseconds since the epoch. */
  readonly time: string;
}

function valueOf(name: string, text: string): unknown {
  switch (name) {
    case 'data':
      return parse(text, 'invalid_json');
    case 'to':
    case 'except':
      return text.startsWith('[') ? parse(text, 'invalid_to') : text;
    case 'ttl':
      return /^\d{1,15}$/.test(text) ? Number(text) : text;
    default:
      return text;
  }
}

function parse(text: string, code: 'invalid_json' | 'invalid_to'): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Its message repeats what the service wrote.
    throw new GatewayError(code);
  }
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'boolean' && name !== 'data') return value ? '1' : '0';
  const plain = typeof value === 'string' && name !== 'data' && !isListLike(name, value);
  if (plain) return value;
  const json = JSON.stringify(isListLike(name, value) ? [value] : value);
  if (json === undefined) throw new GatewayError('invalid_payload', 'data is not JSON');
  return json;
}

/** A room whose name would be read as a JSON list. */
function isListLike(name: string, value: unknown): boolean {
  return (name === 'to' || name === 'except') && typeof value === 'string' && value[0] === '[';
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}
