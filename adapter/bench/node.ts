import { setImmediate } from 'node:timers/promises';
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
}

export type Order = { publish: Publish } | { heard: number } | { read: true; collect: boolean };

export interface Reading {
  /** User and system time of the process since its start, garbage collector included. */
  cpuMicros: number;
  /** After full collections when they were asked for. */
  heapUsedBytes: number;
}

export type Told = { url: string } | { published: number } | { reading: Reading };

const { kind, options } = JSON.parse(process.argv[2]!) as Start;
const node = await Node.start(kind, options, { transports: ['websocket'] });

/** Messages of this publish that have come. */
let heard = 0;
let goOn: () => void = () => undefined;

process.on('message', (order: Order) => {
  if ('publish' in order) void publish(order.publish);
  else if ('heard' in order) {
    heard = order.heard;
    goOn();
  } else void read(order.collect);
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

async function publish({ count, rooms, bytes, window, perSecond }: Publish): Promise<void> {
  const text = 'x'.repeat(bytes);
  const started = performance.now();
  let sent = 0;
  heard = 0;
  await new Promise<void>((resolve) => {
    const sendUpTo = (due: number) => {
      const at = Number(process.hrtime.bigint() / 1000n);
      for (; sent < due; sent++) node.io.to(rooms[sent % rooms.length]!).emit('e', { text, at });
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

function tell(what: Told): void {
  process.send!(what);
}
