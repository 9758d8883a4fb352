import type { Packet } from 'socket.io-parser';
import { hashOf, targetKeys } from './keys.js';
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
  /** What of this mailbox is for a session? */
  question: 5,
  answer: 6,
  /** Something that nodes tell nodes; no session sees it. */
  notice: 7,
  /** As `cluster`; barriers in the mailboxes of other shards follow. */
  crossing: 8,
  /** What stands behind it comes after a message in another mailbox. */
  barrier: 9,
} as const;

/** Numbers of messages that are no events are greater. */
export const OTHERS = 2 ** 46;

const VOLATILE = 1;
const UNCOMPRESSED = 2;
const OFFSET = 4;
const TAGGED = 8;
const CONTEXT = 16;

/**
 * Where a message has what, its numbers big-endian: length of all of it, kind, flags, publisher, number,
 * length of the route, route; then attachments, text, tag and context. Messages of a batch follow each other.
 */
const AT = { length: 0, kind: 4, flags: 5, publisher: 6, number: 12, route: 18, body: 22 } as const;

/** For whom a message is. */
export interface Route {
  readonly namespace: string;
  /** Empty: everyone in the namespace. */
  readonly rooms: readonly string[];
  readonly except: readonly string[];
  /** Of the interest keys of those that it is for. */
  readonly hashes: readonly number[];
}

/**
 * A message on its way through mailboxes, read from its bytes as far as it is asked for. `text` is the
 * packet in the words of Socket.IO's own parser; of an event that takes an offset it lacks the closing
 * bracket.
 */
export class Message {
  readonly kind: number;
  /** Who is meant; messages in a row to the same have the same object. */
  readonly route: Route;
  /** Behind it, in the batch that it came with. */
  readonly end: number;
  private readonly flags: number;
  private readonly bodyAt: number;

  /** @throws RangeError when there is no message at that place */
  constructor(
    private readonly bytes: Buffer,
    private readonly begin = 0,
  ) {
    this.end = begin + bytes.readUInt32BE(begin);
    if (this.end < begin + AT.body || this.end > bytes.length) throw new RangeError('no message');
    this.kind = bytes[begin + AT.kind]!;
    this.flags = bytes[begin + AT.flags]!;
    this.bodyAt = begin + AT.body + bytes.readUInt32BE(begin + AT.route);
    this.route = routeOf(bytes, begin + AT.body, this.bodyAt);
  }

  /** A session that is not ready may miss it, and it is not recovered. */
  get volatile(): boolean {
    return (this.flags & VOLATILE) !== 0;
  }

  get compress(): boolean {
    return (this.flags & UNCOMPRESSED) === 0;
  }

  /** Whether the node puts its position behind the arguments. */
  get takesOffset(): boolean {
    return (this.flags & OFFSET) !== 0;
  }

  get publisher(): number {
    return this.bytes.readUIntBE(this.begin + AT.publisher, 6);
  }

  /** Counts the messages of the publisher: events from 1, all others behind `OTHERS`. */
  get number(): number {
    return this.bytes.readUIntBE(this.begin + AT.number, 6);
  }

  get namespace(): string {
    return this.route.namespace;
  }

  get hasAttachments(): boolean {
    return this.bytes.readUInt32BE(this.bodyAt) > 0;
  }

  get attachments(): readonly Buffer[] {
    const reading = { bytes: this.bytes, at: this.bodyAt };
    return Array.from({ length: readNumber(reading) }, () => readBytes(reading));
  }

  get text(): Buffer {
    return readBytes(this.behindAttachments());
  }

  /** In bytes. */
  get textLength(): number {
    return readNumber(this.behindAttachments());
  }

  /** As `text`, without a view of its own. @returns how many bytes */
  copyTextTo(target: Buffer, at: number): number {
    const reading = this.behindAttachments();
    const length = readNumber(reading);
    return this.bytes.copy(target, at, reading.at, reading.at + length);
  }

  /** A name that nodes hear when they deliver it. */
  get tag(): string | undefined {
    if ((this.flags & TAGGED) === 0) return undefined;
    const reading = this.behindAttachments();
    skip(reading);
    return readText(reading);
  }

  /** What its publisher wants nodes to hear that deliver it. */
  get context(): string | undefined {
    if ((this.flags & CONTEXT) === 0) return undefined;
    const reading = this.behindAttachments();
    skip(reading);
    if ((this.flags & TAGGED) !== 0) skip(reading);
    return readText(reading);
  }

  /** In bytes. */
  get length(): number {
    return this.end - this.begin;
  }

  /** As it stands in the mailbox. */
  get blob(): Buffer {
    return this.bytes.subarray(this.begin, this.end);
  }

  copyTo(target: Buffer, at: number): void {
    this.bytes.copy(target, at, this.begin, this.end);
  }

  private behindAttachments(): Reading {
    const reading = { bytes: this.bytes, at: this.bodyAt };
    for (let count = readNumber(reading); count > 0; count--) skip(reading);
    return reading;
  }
}

/** Routes that are read again and again, by their bytes. */
let routes = new Map<string, Route>();
const MOST_ROUTES = 1000;

function routeOf(bytes: Buffer, begin: number, end: number): Route {
  const name = bytes.toString('latin1', begin, end);
  let route = routes.get(name);
  if (route) return route;
  const reading = { bytes, at: begin };
  const namespace = readText(reading);
  const rooms = readTexts(reading);
  const hashes = targetKeys(namespace, rooms).map(hashOf);
  route = { namespace, rooms, except: readTexts(reading), hashes };
  if (routes.size === MOST_ROUTES) routes = new Map();
  routes.set(name, route);
  return route;
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
  readonly context?: string;
}

const NONE: readonly string[] = [];

export function encode(draft: Draft, publisher: number, number: number): Buffer {
  const { namespace, text = '', attachments = [], takesOffset = false, tag, context } = draft;
  const rooms = draft.rooms ? [...draft.rooms] : NONE;
  const except = draft.except ? [...draft.except] : NONE;
  const packet = takesOffset ? text.slice(0, -1) : text;
  let route = 4 * 3 + Buffer.byteLength(namespace);
  for (const room of rooms) route += 4 + Buffer.byteLength(room);
  for (const room of except) route += 4 + Buffer.byteLength(room);
  let size = AT.body + route + 4 * 2 + Buffer.byteLength(packet);
  for (const attachment of attachments) size += 4 + attachment.length;
  if (tag !== undefined) size += 4 + Buffer.byteLength(tag);
  if (context !== undefined) size += 4 + Buffer.byteLength(context);
  const bytes = Buffer.allocUnsafe(size);
  bytes.writeUInt32BE(size, AT.length);
  bytes[AT.kind] = draft.kind;
  bytes[AT.flags] =
    (draft.volatile ? VOLATILE : 0) |
    (draft.compress === false ? UNCOMPRESSED : 0) |
    (takesOffset ? OFFSET : 0) |
    (tag === undefined ? 0 : TAGGED) |
    (context === undefined ? 0 : CONTEXT);
  bytes.writeUIntBE(publisher, AT.publisher, 6);
  bytes.writeUIntBE(number, AT.number, 6);
  bytes.writeUInt32BE(route, AT.route);
  let at = writeText(bytes, namespace, AT.body);
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
  if (tag !== undefined) at = writeText(bytes, tag, at);
  if (context !== undefined) writeText(bytes, context, at);
  return bytes;
}

/** A message that stands alone. @throws RangeError when it is none */
export function decode(bytes: Buffer): Message {
  return new Message(bytes);
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

export function decodeValue({ text, attachments }: Pick<Message, 'text' | 'attachments'>): unknown {
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

function skip(reading: Reading): void {
  const length = readNumber(reading);
  reading.at += length;
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

/** The messages of an entry, in order. @throws RangeError when one is cut short */
export function* messagesOf(batch: Buffer): Generator<Message> {
  for (let at = 0; at < batch.length;) {
    const message = new Message(batch, at);
    at = message.end;
    yield message;
  }
}
