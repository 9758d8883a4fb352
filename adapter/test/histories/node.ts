import { setInterval } from 'node:timers';
import { type CandidateOptions, type Kind } from '../candidates.ts';
import { Node } from '../cluster.ts';

/**
 * A node in a process of its own, to be killed and stopped: an ordinary Socket.IO server, and a writer
 * of numbered events. Started and told what to write by `process.ts`, over IPC.
 */

export interface Start {
  kind: Kind;
  options: CandidateOptions;
}

export interface Write {
  /** Names the writer; a node that was killed comes back as another one. */
  writer: number;
  perSecond: number;
  /** It writes to `room:0` … `room:<rooms - 1>` in turn and numbers the events of each. */
  rooms: number;
}

export type Order =
  | { write: Write }
  | { stopWriting: true }
  | { emit: { rooms: string[]; count: number; bytes: number } };

/** Events as pairs: room, number. */
export type Told =
  | { listening: string; pid: number }
  | { wrote: number }
  /** Redis said that it has them. */
  | { accepted: number[] }
  /** Redis did not say so, and they were delivered to this node's own sessions instead. */
  | { locally: number[] }
  /** Why a session that came back was told `recovered: false` (ours only). */
  | { unrecovered: string }
  | { stopped: true }
  | { emitted: number };

const TICK_MS = 10;
const REPORT_MS = 50;

const { kind, options } = JSON.parse(process.argv[2]!) as Start;
const node = await Node.start(kind, options, { transports: ['websocket'], pingInterval: 5000 });
let wrote = 0;
let accepted: number[] = [];
let locally: number[] = [];
let writing: Writing | undefined;

process.on('message', (order: Order) => {
  if ('write' in order) writing = new Writing(order.write);
  else if ('stopWriting' in order) void writing?.stop().then(() => tell({ stopped: true }));
  else void emit(order.emit);
});
process.once('disconnect', () => process.exit());
setInterval(report, REPORT_MS).unref();
node.candidate.mailbox?.on('unrecovered', (why) => tell({ unrecovered: why }));
node.candidate.mailbox?.on('fault', (fault) => console.error(fault));
tell({ listening: node.url, pid: process.pid });

class Writing {
  private readonly order: Write;
  private readonly next: number[];
  private readonly under = new Set<Promise<void>>();
  private readonly started = performance.now();
  private readonly timer: NodeJS.Timeout;
  private written = 0;

  constructor(order: Write) {
    this.order = order;
    this.next = Array.from({ length: order.rooms }, () => 0);
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.under);
    report();
  }

  private tick(): void {
    const due = ((performance.now() - this.started) / 1000) * this.order.perSecond;
    // What a stop of the process made it miss is not caught up on.
    if (due - this.written > this.order.perSecond) this.written = Math.floor(due) - 1;
    for (; this.written < due; this.written++) {
      const write = this.write(this.written % this.order.rooms);
      this.under.add(write);
      void write.finally(() => this.under.delete(write));
    }
  }

  private async write(room: number): Promise<void> {
    const number = this.next[room]!++;
    wrote++;
    const args = ['e', this.order.writer, room, number];
    try {
      await node.publish([`room:${room}`], ...args);
      if (node.candidate.tells) accepted.push(room, number);
    } catch (refusal) {
      locally.push(room, number);
      node.candidate.locally(node.io, [`room:${room}`], args, refusal);
    }
  }
}

async function emit({ rooms, count, bytes }: { rooms: string[]; count: number; bytes: number }) {
  const text = 'x'.repeat(bytes);
  for (let number = 0; number < count; number++) {
    await node.publish(rooms, 'e', number, text, 0);
    if (number % 100 === 99) await new Promise(setImmediate);
  }
  tell({ emitted: count });
}

function report(): void {
  if (wrote > 0) tell({ wrote });
  wrote = 0;
  if (accepted.length > 0) tell({ accepted });
  if (locally.length > 0) tell({ locally });
  accepted = [];
  locally = [];
}

function tell(what: Told): void {
  process.send!(what);
}
