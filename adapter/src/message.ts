import type { Packet } from 'socket.io-parser';
import { Decoder, Encoder, PacketType } from './parser.js';

/** What an entry of a mailbox carries; its numbers are part of the format. */
export const KIND = {
  /** A packet for sessions. */
  event: 1,
  /** A message between the adapters of nodes. */
  cluster: 2,
  /** Marks a place in the mailbox. */
  marker: 3,
  /** A session went to another node. */
  moved: 4,
  /** Events of this mailbox that were not delivered from it: their publisher had been refused. */
  unsaid: 5,
  /** What of this mailbox is for a session? */
  question: 6,
  answer: 7,
  /** Something that nodes tell nodes; no session sees it. */
  notice: 8,
} as const;

const VOLATILE = 1;
const UNCOMPRESSED = 2;
const OFFSET = 4;
const TAGGED = 8;

/** Bytes before the first string. */
const HEAD = 18;

/**
 * A message on its way through mailboxes. `text` is the packet in the words of Socket.IO's own
 * parser; of an event that takes an offset it lacks the closing bracket.
 */
export interface Message {
  readonly kind: number;
  /** A session that is not ready may miss it, and it is not recovered. */
  readonly volatile: boolean;
  readonly compress: boolean;
  /** Whether the node puts its position behind the arguments. */
  readonly takesOffset: boolean;
  readonly publisher: number;
  /** Counts the messages of the publisher. */
  readonly number: number;
  readonly namespace: string;
  /** Empty: everyone in the namespace. */
  readonly rooms: readonly string[];
  readonly except: readonly string[];
  readonly text: Buffer;
  readonly attachments: readonly Buffer[];
  /** A name that nodes hear when they deliver it. */
  readonly tag: string | undefined;
  /** The bytes of `rooms` and `except`: two messages with the same go to the same sessions. */
  readonly target: Buffer;
  /** As it stands in the mailbox. */
  readonly blob: Buffer;
}

/** What `encode` is given; `text` is complete. */
export interface Draft {
  readonly kind: number;
  readonly volatile?: boolean;
  readonly compress?: boolean;
  readonly takesOffset?: boolean;
  readonly namespace: string;
  readonly rooms?: Iterable<string>;
  readonly except?: Iterable<string>;
  readonly text?: string;
  readonly attachments?: readonly Buffer[];
  readonly tag?: string;
}

const NONE: readonly string[] = [];

export function encode(draft: Draft, publisher: number, number: number): Buffer {
  const { namespace, text = '', attachments = [], takesOffset = false, tag } = draft;
  const rooms = draft.rooms ? [...draft.rooms] : NONE;
  const except = draft.except ? [...draft.except] : NONE;
  const packet = takesOffset ? text.slice(0, -1) : text;
  let size = HEAD + 4 * 5 + Buffer.byteLength(namespace) + Buffer.byteLength(packet);
  for (const room of rooms) size += 4 + Buffer.byteLength(room);
  for (const room of except) size += 4 + Buffer.byteLength(room);
  for (const attachment of attachments) size += 4 + attachment.length;
  if (tag !== undefined) size += 4 + Buffer.byteLength(tag);
  const bytes = Buffer.allocUnsafe(size);
  bytes[0] = draft.kind;
  bytes[1] =
    (draft.volatile ? VOLATILE : 0) |
    (draft.compress === false ? UNCOMPRESSED : 0) |
    (takesOffset ? OFFSET : 0) |
    (tag === undefined ? 0 : TAGGED);
  bytes.writeDoubleBE(publisher, 2);
  bytes.writeDoubleBE(number, 10);
  let at = writeText(bytes, namespace, HEAD);
  for (const list of [rooms, except]) {
    at = bytes.writeUInt32BE(list.length, at);
    for (const room of list) at = writeText(bytes, room, at);
  }
  at = bytes.writeUInt32BE(attachments.length, at);
  for (const attachment of attachments) {
    at = bytes.writeUInt32BE(attachment.length, at);
    at += attachment.copy(bytes, at);
  }
  at = writeText(bytes, packet, at);
  // Last: nodes of the release before do not look there.
  if (tag !== undefined) writeText(bytes, tag, at);
  return bytes;
}

export function decode(bytes: Buffer): Message {
  const flags = bytes[1]!;
  const reader = { bytes, at: HEAD };
  const namespace = readText(reader);
  const begin = reader.at;
  const rooms = readTexts(reader);
  const except = readTexts(reader);
  const target = bytes.subarray(begin, reader.at);
  const count = readNumber(reader);
  const attachments: Buffer[] = [];
  for (let index = 0; index < count; index++) attachments.push(readBytes(reader));
  const text = readBytes(reader);
  return {
    kind: bytes[0]!,
    volatile: (flags & VOLATILE) !== 0,
    compress: (flags & UNCOMPRESSED) === 0,
    takesOffset: (flags & OFFSET) !== 0,
    publisher: bytes.readDoubleBE(2),
    number: bytes.readDoubleBE(10),
    namespace,
    rooms,
    except,
    text,
    attachments,
    tag: (flags & TAGGED) === 0 ? undefined : readText(reader),
    target,
    blob: bytes,
  };
}

const encoder = new Encoder();

/** A packet in the words of Socket.IO's own parser: text first, then what is binary. */
export function encodePacket(packet: Packet): { text: string; attachments: Buffer[] } {
  const [text, ...attachments] = encoder.encode(packet) as [string, ...unknown[]];
  return { text, attachments: attachments.map(asBuffer) };
}

/** An event or cluster message with its data, as it was before `encodePacket`. */
export function decodePacket(text: string, attachments: readonly Buffer[]): Packet {
  let packet: Packet | undefined;
  const decoder = new Decoder({ maxAttachments: Infinity } as never);
  decoder.on('decoded', (decoded: Packet) => {
    packet = decoded;
  });
  decoder.add(text);
  for (const attachment of attachments) decoder.add(attachment);
  if (!packet) throw new Error('a message without its attachments');
  return packet;
}

/** Any value that Socket.IO can send, binary parts included. */
export function encodeValue(value: unknown): Pick<Draft, 'text' | 'attachments'> {
  return encodePacket({ type: PacketType.EVENT, nsp: '/', data: ['', value] });
}

export function decodeValue({ text, attachments }: Message): unknown {
  return (decodePacket(text.toString(), attachments).data as unknown[])[1];
}

function asBuffer(binary: unknown): Buffer {
  if (Buffer.isBuffer(binary)) return binary;
  if (ArrayBuffer.isView(binary))
    return Buffer.from(binary.buffer, binary.byteOffset, binary.byteLength);
  return Buffer.from(binary as ArrayBuffer);
}

function writeText(bytes: Buffer, text: string, at: number): number {
  const length = bytes.write(text, at + 4);
  bytes.writeUInt32BE(length, at);
  return at + 4 + length;
}

interface Reading {
  readonly bytes: Buffer;
  at: number;
}

function readNumber(reading: Reading): number {
  const number = reading.bytes.readUInt32BE(reading.at);
  reading.at += 4;
  return number;
}

function readBytes(reading: Reading): Buffer {
  const length = readNumber(reading);
  const begin = reading.at;
  reading.at += length;
  return reading.bytes.subarray(begin, reading.at);
}

function readText(reading: Reading): string {
  const length = readNumber(reading);
  const begin = reading.at;
  reading.at += length;
  return reading.bytes.toString('utf8', begin, reading.at);
}

function readTexts(reading: Reading): readonly string[] {
  const count = readNumber(reading);
  if (count === 0) return NONE;
  const texts: string[] = [];
  for (let index = 0; index < count; index++) texts.push(readText(reading));
  return texts;
}
