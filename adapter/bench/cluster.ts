import { Redis } from 'ioredis';
import { type TestRedis, startRedis } from '../../gateway/test/redis.ts';
import { WireClient } from '../../gateway/bench/load/wire-client.ts';
import { type Kind } from '../test/candidates.ts';
import { BenchNode } from './process.ts';

/** What is compared. */
export const candidates = ['streams', 'mailbox'] as const satisfies Kind[];
export type Candidate = (typeof candidates)[number];

/** CPU of a stretch of work, in microseconds. */
export interface Spent {
  nodes: number[];
  redis: number;
  /** Of this process, which plays all clients. */
  clients: number;
}

/** Nodes of one adapter on a Redis of their own. */
export class Cluster {
  readonly nodes: readonly BenchNode[];
  readonly admin: Redis;
  private readonly redis: TestRedis;

  private constructor(nodes: BenchNode[], redis: TestRedis) {
    this.nodes = nodes;
    this.redis = redis;
    this.admin = new Redis(redis.url);
  }

  static async start(kind: Candidate, count: number): Promise<Cluster> {
    // As it is run in production: a write is on the disk within a second, not before it is answered.
    const redis = await startRedis({ args: ['--appendfsync', 'everysec'] });
    const options = { url: redis.url, recoverySeconds: 120 };
    const nodes = await Promise.all(
      Array.from({ length: count }, () => BenchNode.start({ kind, options })),
    );
    return new Cluster(nodes, redis);
  }

  /** What all processes use during some work; waits until they have come to rest before and after. */
  async measure(work: () => Promise<void>): Promise<Spent & { millis: number }> {
    await this.quiet();
    const before = await this.spent();
    const started = performance.now();
    await work();
    const millis = performance.now() - started;
    await this.quiet();
    const after = await this.spent();
    return {
      millis,
      redis: after.redis - before.redis,
      clients: after.clients - before.clients,
      nodes: after.nodes.map((micros, index) => micros - before.nodes[index]!),
    };
  }

  async quiet(): Promise<void> {
    for (const node of this.nodes) await node.quiet();
  }

  async stop(): Promise<void> {
    this.admin.disconnect();
    for (const node of this.nodes) await node.stop();
    await this.redis.stop();
  }

  private async spent(): Promise<Spent> {
    const info = await this.admin.info('cpu');
    const seconds = (name: string) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)![1]);
    const { user, system } = process.cpuUsage();
    const readings = await Promise.all(this.nodes.map((node) => node.read()));
    return {
      nodes: readings.map(({ cpuMicros }) => cpuMicros),
      redis: (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6,
      clients: user + system,
    };
  }
}

/** A session on a bare TCP socket that knows what it needs to come back. */
export class BenchSession {
  pid = '';
  offset = '';
  recovered = false;
  hear: (packet: Buffer) => void = () => undefined;
  private readonly rooms: string[];
  private readonly keepsOffset: boolean;
  private wire: WireClient | undefined;

  /** @param keepsOffset it is to come back; otherwise it looks at nothing that comes, which is cheaper */
  constructor(rooms: string[], keepsOffset = false) {
    this.rooms = rooms;
    this.keepsOffset = keepsOffset;
  }

  /** Called with how many events have come, all of one read together, in place of `heard`. */
  set counted(counted: (events: number) => void) {
    this.wire!.onCount = counted;
  }

  /** Called for every `e` event, with its packet: `2["e",…]`. */
  set heard(heard: (packet: Buffer) => void) {
    this.hear = heard;
    if (this.wire) this.wire.onCount = undefined;
  }

  /** Resolves when it is in its rooms, or has been given back what it was. */
  open(url: URL): Promise<void> {
    const { pid, offset, rooms } = this;
    this.recovered = false;
    const auth = pid ? { pid, offset, rooms } : { rooms };
    return new Promise((resolve, reject) => {
      const opened = () => {
        if (this.wire && !this.keepsOffset) this.wire.onPacket = (packet) => this.hear(packet);
        resolve();
      };
      const listen = (packet: Buffer) => {
        if (packet[0] === CONNECT) {
          const { pid: given } = JSON.parse(packet.toString('utf8', 1)) as { pid: string };
          this.recovered = given === pid;
          this.pid = given;
          if (this.recovered) opened();
        } else if (packet[0] === EVENT) {
          if (packet.toString('latin1', 0, 10) === '2["welcome') opened();
          else this.hear(packet);
          if (this.keepsOffset) this.offset = offsetOf(packet);
        }
      };
      this.wire = new WireClient(url, auth, listen, reject);
    });
  }

  end(): void {
    this.wire?.end();
  }
}

const CONNECT = 0x30;
const EVENT = 0x32;

/** The last argument: `…,"offset"]`. */
function offsetOf(packet: Buffer): string {
  const end = packet.length - 2;
  return packet.toString('latin1', packet.lastIndexOf('"', end - 1) + 1, end);
}

/** Opens them a few at a time. */
export async function openAll(
  sessions: BenchSession[],
  urlOf: (index: number) => URL,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < sessions.length) {
      const index = next++;
      await sessions[index]!.open(urlOf(index));
    }
  };
  await Promise.all(Array.from({ length: 50 }, worker));
}

/** Resolves when they have heard so many events together. @param progress gets how many so far */
export function heardBy(
  sessions: readonly BenchSession[],
  count: number,
  progress: (total: number) => void = () => undefined,
): Promise<void> {
  return bounded((resolve) => {
    let total = 0;
    const counted = (events: number) => {
      total += events;
      progress(total);
      if (total >= count) resolve();
    };
    for (const session of sessions) session.counted = counted;
  });
}

/** The same with each event's packet. */
export function eachHeardBy(
  sessions: readonly BenchSession[],
  count: number,
  heard: (packet: Buffer) => void = () => undefined,
): Promise<void> {
  return bounded((resolve) => {
    let total = 0;
    for (const session of sessions)
      session.heard = (packet) => {
        heard(packet);
        if (++total >= count) resolve();
      };
  });
}

/** Gives up after five minutes: a lost event must not hang the bench. */
function bounded(run: (resolve: () => void) => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  return new Promise<void>((resolve, reject) => {
    timer = setTimeout(() => reject(new Error('not all came in five minutes')), 300_000);
    run(resolve);
  }).finally(() => clearTimeout(timer));
}
