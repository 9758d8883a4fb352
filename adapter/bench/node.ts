import { randomBytes } from 'node:crypto';
import type { Socket as NetSocket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import type { Socket } from 'socket.io';
import type { CandidateOptions, Kind } from '../test/candidates.ts';
import { Node } from '../test/cluster.ts';

/** A node that is measured, in a process of its own: publishes what it is told, over IPC. */

export interface Start {
  kind: Kind;
  options: CandidateOptions;
}

export interface Publish {
  /** Messages in all; the nth goes to the nth room, from the first again behind the last. */
  count: number;
  rooms: string[];
  /** Of the text that each carries beside its time. */
  bytes: number;
  /** Messages under way at once until `heard` says that they have come. */
  window: number;
  /** Instead of as fast as the window lets. */
  perSecond?: number;
  /** No adapter: each message is a ready-made frame, written into the socket of every session here. */
  bare?: boolean;
}

export interface Register {
  sessions: number;
  /** Of its own that each is in, and that all share. */
  own: number;
  shared: number;
}

export type Order =
  | { publish: Publish }
  | { heard: number }
  | { register: Register }
  | { read: true; collect: boolean };

export interface Reading {
  /** User and system time of the process since its start, garbage collector included. */
  cpuMicros: number;
  /** After full collections when they were asked for. */
  heapUsedBytes: number;
}

export type Told =
  | { url: string }
  | { published: number }
  | { registered: number }
  | { reading: Reading };

const { kind, options } = JSON.parse(process.argv[2]!) as Start;
/** As long as those of either adapter. */
const offset = '12345678901234.1795273104000-0.0';
const node = await Node.start(kind, options, { transports: ['websocket'] });

/** Messages of this publish that have come. */
let heard = 0;
let goOn: () => void = () => undefined;

process.on('message', (order: Order) => {
  if ('publish' in order) void publish(order.publish);
  else if ('heard' in order) {
    heard = order.heard;
    goOn();
  } else if ('register' in order) void register(order.register);
  else void read(order.collect);
});
process.once('disconnect', () => process.exit());
tell({ url: node.url });

async function read(collect: boolean): Promise<void> {
  // Finalizers of one collection free what the next one finds.
  for (let round = 0; collect && round < 4; round++) {
    globalThis.gc?.();
    await setImmediate();
  }
  const { user, system } = process.cpuUsage();
  const { heapUsed } = process.memoryUsage();
  tell({ reading: { cpuMicros: user + system, heapUsedBytes: heapUsed } });
}

async function publish({
  count,
  rooms,
  bytes,
  window,
  perSecond,
  bare = false,
}: Publish): Promise<void> {
  const text = 'x'.repeat(bytes);
  const started = performance.now();
  let sent = 0;
  heard = 0;
  await new Promise<void>((resolve) => {
    const sendUpTo = (due: number) => {
      const at = Number(process.hrtime.bigint() / 1000n);
      for (; sent < due; sent++)
        if (bare) writeBare(frameOf(`42["e",${JSON.stringify({ text, at, offset })}]`));
        else node.io.to(rooms[sent % rooms.length]!).emit('e', { text, at });
      return sent === count;
    };
    if (perSecond === undefined) {
      goOn = () => {
        if (sendUpTo(Math.min(count, heard + window))) resolve();
      };
      goOn();
      return;
    }
    const timer = setInterval(() => {
      const due = ((performance.now() - started) / 1000) * perSecond;
      if (!sendUpTo(Math.min(count, due))) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
  goOn = () => undefined;
  tell({ published: count });
}

/**
 * Sessions without connections: where Socket.IO keeps its sockets there are bare objects, and the adapter
 * is told what it is told of sockets.
 */
async function register({ sessions, own, shared }: Register): Promise<void> {
  const { sockets, adapter } = node.io.of('/');
  const known = sockets as Map<string, unknown>;
  const newId = () => randomBytes(15).toString('base64url');
  let joined: unknown[] = [];
  for (let count = 1; count <= sessions; count++) {
    const id = newId();
    known.set(id, { id, pid: newId(), data: {} });
    const rooms = Array.from({ length: own }, (_, room) => `${id}:${room}`);
    for (let room = 0; room < shared; room++) rooms.push(`shared:${room}`);
    // As at a connect: its own room first, the others in the same turn.
    joined.push(adapter.addAll(id, new Set([id])), adapter.addAll(id, new Set(rooms)));
    if (count % 1000 > 0 && count < sessions) continue;
    await Promise.all(joined);
    joined = [];
  }
  tell({ registered: sessions });
}

/** What limits every adapter: one call of the system for each session. */
function writeBare(frame: Buffer): void {
  for (const socket of node.io.sockets.sockets.values()) rawSocketOf(socket).write(frame);
}

function rawSocketOf(socket: Socket): NetSocket {
  return (socket.conn.transport as unknown as { socket: { _socket: NetSocket } }).socket._socket;
}

/** A WebSocket frame of a text of 126 to 65,535 bytes. */
function frameOf(text: string): Buffer {
  const head = Buffer.from([0x81, 126, 0, 0]);
  head.writeUInt16BE(text.length, 2);
  return Buffer.concat([head, Buffer.from(text)]);
}

function tell(what: Told): void {
  process.send!(what);
}
