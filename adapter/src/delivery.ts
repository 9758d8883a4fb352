import type { Socket as NetSocket } from 'node:net';
import type { Namespace, Socket } from 'socket.io';
import type { Packet } from 'socket.io-parser';
import type { MailboxAdapter } from './adapter.js';
import {
  type Client,
  type WriteOptions,
  clientOf,
  encoderOf,
  findSocket,
  hasOutgoingListeners,
  isReady,
  rawSocketOf,
  takesFrames,
  tellOutgoingListeners,
  writeTogether,
} from './engine.js';
import { type Message, decodePacket } from './message.js';
import type { MailboxNode } from './node.js';
import { Encoder } from './parser.js';
import type { Missed } from './passages.js';

/** An event of this node's mailbox, about to be delivered. */
interface Event {
  readonly message: Message;
  /** What follows the text: the offset and the closing bracket, or nothing. */
  readonly tail: string;
}

const EMPTY: ReadonlySet<string> = new Set();

/**
 * Hands events to sessions: each is encoded once, events in a row for the same sessions become one
 * write, and all of a turn is one system call per session.
 */
export class Delivery {
  private run: Event[] = [];
  private readonly corked: NetSocket[] = [];
  /** Of the event that is being handed to sessions right now. */
  tag: string | undefined;

  constructor(private readonly node: Pick<MailboxNode, 'emit' | 'sessions'>) {}

  /** The event is written now or together with those that follow, at the end of the turn at last. */
  add(message: Message, tail: string): void {
    const previous = this.run.at(-1)?.message;
    const { tag } = message;
    if (previous && (tag !== undefined || !isSameWay(previous, message))) this.flush(false);
    this.run.push({ message, tail });
    if (tag !== undefined) this.addTagged(message, tag);
  }

  /** Alone and at once, so that whoever is written to can tell which event it is. */
  private addTagged(message: Message, tag: string): void {
    this.tag = tag;
    try {
      this.flush(false);
    } finally {
      this.tag = undefined;
    }
    this.node.emit('tagged', message.namespace, message.route.rooms, tag);
  }

  endTurn(): void {
    try {
      this.flush(this.corked.length === 0);
    } finally {
      for (const raw of this.corked) raw.uncork();
      this.corked.length = 0;
    }
  }

  /** @param alone nothing else is written in this turn */
  private flush(alone: boolean): void {
    const { run } = this;
    if (run.length === 0) return;
    this.run = [];
    const { message } = run[0]!;
    const adapter = this.node.sessions.adapters.get(message.namespace);
    if (!adapter) return;
    const began = Date.now();
    const writing = new Writing(adapter, run, alone ? undefined : this.corked);
    try {
      writing.toAll();
    } finally {
      if (writing.sessions > 0)
        this.node.emit('delivered', contextsOf(run), run.length, writing.sessions, began);
    }
  }
}

/** Bytes of missed events that are put to Engine.IO at once: between two it is looked how much waits. */
const MISSED_BYTES = 16 * 1024;

/** What one session missed, behind all that waits for it already. */
export function writeMissed(
  adapter: MailboxAdapter,
  socket: Socket,
  missed: readonly Missed[],
): void {
  const client = clientOf(socket);
  writeTogether(socket);
  let run: Event[] = [];
  let bytes = 0;
  const write = () => {
    new Writing(adapter, run, undefined).missedBy(client);
    run = [];
    bytes = 0;
  };
  for (const { message, offset } of missed) {
    run.push({ message, tail: `,"${offset}"]` });
    bytes += message.length;
    if (bytes >= MISSED_BYTES) write();
  }
  if (run.length > 0) write();
}

/** One run of events on its way to all sessions that it is for. */
class Writing {
  private readonly namespace: Namespace;
  private readonly head: Message;
  /** Ready-made frames of all events in a row; undefined when they cannot be written that way. */
  private readonly frames: Buffer | undefined;
  private packets: unknown[][] | undefined;
  private options: WriteOptions[] = [];
  private decoded: Packet[] | undefined;
  private failure: Error | undefined;
  /** How many were written to. */
  sessions = 0;

  constructor(
    private readonly adapter: MailboxAdapter,
    private readonly run: readonly Event[],
    private readonly corked: NetSocket[] | undefined,
  ) {
    this.namespace = adapter.nsp as Namespace;
    this.head = run[0]!.message;
    const ready =
      encoderOf(adapter) instanceof Encoder && !run.some(({ message }) => message.hasAttachments);
    if (ready) this.frames = framesOf(run);
  }

  toAll(): void {
    const { rooms, sids } = this.adapter;
    const except = this.excepted();
    const { rooms: targets } = this.head.route;
    if (targets.length === 1) {
      for (const id of rooms.get(targets[0]!) ?? EMPTY) if (!except.has(id)) this.toId(id);
    } else if (targets.length === 0) {
      for (const id of sids.keys()) if (!except.has(id)) this.toId(id);
    } else {
      const seen = new Set<string>();
      for (const target of targets)
        for (const id of rooms.get(target) ?? EMPTY) {
          if (seen.has(id) || except.has(id)) continue;
          seen.add(id);
          this.toId(id);
        }
    }
    if (this.failure) throw this.failure;
  }

  private excepted(): ReadonlySet<string> {
    const { except } = this.head.route;
    if (except.length === 0) return EMPTY;
    const ids = new Set<string>();
    for (const room of except) for (const id of this.adapter.rooms.get(room) ?? EMPTY) ids.add(id);
    return ids;
  }

  private toId(id: string): void {
    const socket = findSocket(this.namespace, id);
    if (!socket) return;
    try {
      if (!socket.connected) this.adapter.giveMissed(id);
      this.toSocket(socket);
    } catch (error) {
      // A listener of one session must not keep the others from what they are sent.
      this.failure ??= error as Error;
    }
  }

  private toSocket(socket: Socket): void {
    if (hasOutgoingListeners(socket))
      for (const packet of this.decode()) tellOutgoingListeners(socket, packet);
    const client = clientOf(socket);
    if (this.head.volatile && !isReady(client)) return;
    this.sessions++;
    const raw = this.frames && rawSocketOf(client);
    if (!this.frames || !raw) return this.throughEngine(client);
    if (this.corked && raw.writableCorked === 0) {
      raw.cork();
      this.corked.push(raw);
    }
    raw.write(this.frames);
  }

  /** In its place behind what waits for the session: one packet of frames, where Engine.IO takes that. */
  missedBy(client: Client): void {
    const { frames } = this;
    if (!frames || !takesFrames(client)) return this.throughEngine(client);
    const options = { preEncoded: true, compress: false, wsPreEncodedFrame: [frames] } as const;
    client.writeToEngine([frames], options);
  }

  private throughEngine(client: Client): void {
    this.packets ??= this.encode();
    for (let index = 0; index < this.packets.length; index++)
      client.writeToEngine(this.packets[index]!, this.options[index]!);
  }

  /** As Engine.IO takes them: for polling, compressed and congested connections, and for binary. */
  private encode(): unknown[][] {
    const encoder = encoderOf(this.adapter);
    return this.run.map(({ message, tail }, index) => {
      const own = encoder instanceof Encoder;
      const text = own ? message.text.toString() + tail : '';
      const packets = own ? [text, ...message.attachments] : encoder.encode(this.decode()[index]!);
      const options: WriteOptions = { preEncoded: true, compress: message.compress };
      if (message.volatile) options.volatile = true;
      if (this.frames) options.wsPreEncodedFrame = [framesOf([{ message, tail }])];
      this.options.push(options);
      return packets;
    });
  }

  private decode(): Packet[] {
    this.decoded ??= this.run.map(({ message, tail }) =>
      decodePacket(message.text.toString() + tail, message.attachments),
    );
    return this.decoded;
  }
}

function contextsOf(run: readonly Event[]): string[] {
  const contexts: string[] = [];
  for (const { message } of run) {
    const { context } = message;
    if (context !== undefined) contexts.push(context);
  }
  return contexts;
}

/** Whether two events go to the same sessions in the same manner. */
function isSameWay(one: Message, other: Message): boolean {
  return (
    one.route === other.route && one.volatile === other.volatile && one.compress === other.compress
  );
}

/** Of an Engine.IO packet: type 4, a message. */
const MESSAGE = 0x34;
/** Of a WebSocket frame: the only one of its message, text (RFC 6455, 5.2). */
const TEXT_FRAME = 0x81;

/** WebSocket frames in a row, as `ws` would write them: unmasked and uncompressed. */
function framesOf(run: readonly Event[]): Buffer {
  let size = 0;
  for (const { message, tail } of run) {
    const length = 1 + message.textLength + tail.length;
    size += length + headLength(length);
  }
  const frames = Buffer.allocUnsafe(size);
  let at = 0;
  for (const { message, tail } of run) {
    const length = 1 + message.textLength + tail.length;
    frames[at] = TEXT_FRAME;
    const head = headLength(length);
    if (head === 2) frames[at + 1] = length;
    else if (head === 4) {
      frames[at + 1] = 126;
      frames.writeUInt16BE(length, at + 2);
    } else {
      frames[at + 1] = 127;
      frames.writeUInt32BE(Math.floor(length / 2 ** 32), at + 2);
      frames.writeUInt32BE(length % 2 ** 32, at + 6);
    }
    at += head;
    frames[at++] = MESSAGE;
    at += message.copyTextTo(frames, at);
    at += frames.write(tail, at, 'latin1');
  }
  return frames;
}

function headLength(length: number): number {
  if (length < 126) return 2;
  return length < 65_536 ? 4 : 10;
}
