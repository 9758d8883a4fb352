import { randomBytes } from 'node:crypto';
import { toGatewayError } from '@streamgate/protocol/errors';
import { COMMAND_GROUP, streamNames } from '@streamgate/protocol/stream';
import type { Backplane } from '../../backplane/backplane.js';
import type { RedisLink } from '../../backplane/redis-link.js';
import type { RedisConnect } from '../../backplane/redis-options.js';
import type { Config } from '../../config.js';
import { log, repeated } from '../../ops/log.js';
import { metrics } from '../../ops/metrics.js';
import type { Executor } from '../execute.js';
import { ingestKeys } from '../ingest-keys.js';
import type { Receipts } from '../receipts.js';
import { DeadLetters } from './dead-letters.js';
import { KeyMoves, WRITERS_LAG_MS } from './key-moves.js';
import { PartitionReader } from './partition-reader.js';
import type { PartitionScript } from './partition-scripts.js';
import { Partition } from './partition.js';
import { defineScripts, runScript } from './run-script.js';

export interface StreamDoorParts {
  readonly config: Pick<
    Config,
    'redisPrefix' | 'redisTimeoutMs' | 'streamPartitions' | 'commandMaxBytes'
  >;
  readonly backplane: Backplane;
  readonly executor: Pick<Executor, 'executeAll' | 'chains'>;
  readonly receipts: Receipts;
  readonly link: RedisLink;
  readonly connect: RedisConnect;
}

/** How often leases are renewed and looked at. */
const TURN_MS = 250;
/** A node that was silent for so long is taken for dead, and its partitions are taken over. */
const LEASE_MS = 2000;
/** A partition that has neither read nor settled anything for so long is left to others. */
const STILL_MS = 5000;
/** For so long afterwards this node takes only what no other node wants. */
const HESITATES_MS = 30_000;
/** Turns after which nobody is taken to want a free partition: in doubt, and when this node hesitates. */
const FREE_TURNS = 1;
const UNWANTED_TURNS = 4;

/** A partition that this node executes. */
interface Held {
  readonly partition: Partition;
  /** Token of its lease, without epoch. */
  readonly base: string;
}

/** What one turn answers: see the script. */
type Turn = [
  now: number,
  history: string,
  lost: number[],
  taken: number[],
  given: number[],
  free: number[],
  ...lag: number[],
];

/**
 * The way in for commands that services write to Redis streams: shares the partitions out over the
 * nodes, and executes those that fall to this one.
 */
export class StreamDoor {
  private readonly keys: ReturnType<typeof ingestKeys>;
  private readonly names: ReturnType<typeof streamNames>;
  private readonly held = new Map<number, Held>();
  /** By partition: entries, and ms since the oldest was written. */
  private lag = new Map<number, { entries: number; ageMs: number }>();
  /** Partitions that nobody executes -> for how many turns. */
  private free = new Map<number, number>();
  /** Until when it hesitates, in ms since the epoch: what stood still here may do so again. */
  private hesitatesUntil = 0;
  private clockAhead = 0;
  /** How many partitions there are, once it has been published. */
  private partitions: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private turning: Promise<void> = Promise.resolve();
  private isClosed = false;
  private serves: () => boolean = () => true;

  constructor(private readonly parts: StreamDoorParts) {
    const { redisPrefix } = parts.config;
    this.keys = ingestKeys(redisPrefix);
    this.names = streamNames(redisPrefix);
    defineScripts(parts.link.redis);
  }

  /** @param serves false while this node drains: then others execute */
  start(serves: () => boolean): void {
    this.serves = serves;
    metrics.streamPartitions.read(() => this.held.size);
    metrics.streamLagEntries.read(() => this.lagOf(({ entries }) => entries));
    metrics.streamLagSeconds.read(() => this.lagOf(({ ageMs }) => ageMs / 1000));
    this.turning = this.turn();
  }

  /** Finishes what is being executed and gives the partitions to other nodes. */
  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.timer);
    await this.turning;
    await Promise.all([...this.held.values()].map((held) => this.release(held)));
    if (!this.parts.link.up) return;
    try {
      await this.run('leave', [this.keys.nodes], [this.nodeId]);
    } catch (error) {
      log.debug({ code: toGatewayError(error).code }, 'the stream door did not take leave');
    }
  }

  private get nodeId(): string {
    return this.parts.backplane.nodeId;
  }

  private async turn(): Promise<void> {
    try {
      if (this.parts.link.up) await this.tend();
    } catch (error) {
      const { code, cause } = toGatewayError(error);
      // The link says that Redis is away; leases that run out meanwhile are found lost when it is back.
      if (code !== 'internal') log.debug({ code }, 'the stream door was not tended');
      else
        repeated('stream door turn', 10_000, (more) =>
          log.error({ err: cause, more }, 'the stream door was not tended'),
        );
    }
    if (this.isClosed) return;
    this.timer = setTimeout(() => {
      this.turning = this.turn();
    }, TURN_MS);
    this.timer.unref();
  }

  private async tend(): Promise<void> {
    if (this.partitions === undefined)
      await this.publish(this.parts.config.streamPartitions, false);
    const base = `${this.nodeId}/${randomBytes(9).toString('base64url')}`;
    let answer = await this.askTurn(base);
    if (!answer) {
      // A Redis that came back empty: writers would go by one partition.
      await this.publish(this.partitions!, true);
      answer = await this.askTurn(base);
    }
    if (!answer) return;
    const [now, history, lost, taken, given, free, ...lag] = answer;
    this.partitions = Number(history.slice(history.lastIndexOf(':') + 1));
    this.free = new Map(free.map((index) => [index, (this.free.get(index) ?? 0) + 1]));
    this.clockAhead = now - Date.now();
    this.readLag(lag);
    for (const index of lost) this.drop(index);
    for (const index of given) {
      const held = this.held.get(index);
      if (held) void this.release(held);
    }
    for (const index of taken) this.take(index, base);
    for (const [index, held] of this.held)
      if (held.partition.standsStill(STILL_MS)) this.abandon(held, lost.includes(index));
  }

  private async publish(partitions: number, onlyIfMissing: boolean): Promise<void> {
    const { highest, history } = this.keys;
    const keys = [this.names.partitions, highest, history];
    await this.run('publish', keys, [partitions, Number(onlyIfMissing)]);
    this.partitions = partitions;
  }

  private async askTurn(base: string): Promise<Turn | null> {
    const { nodes, highest, history, lease } = this.keys;
    const hesitates = Date.now() < this.hesitatesUntil;
    const turns = hesitates ? UNWANTED_TURNS : FREE_TURNS;
    const unwanted = [...this.free].flatMap(([index, free]) => (free < turns ? [] : [index]));
    const owned = [...this.held].flatMap(([index, held]) => [index, held.base]);
    const part = hesitates ? 2 : 1;
    const args = [
      ...[this.nodeId, this.serves() ? part : 0, LEASE_MS, LEASE_MS, base],
      ...[lease(0).slice(0, -1), this.names.partition(0), WRITERS_LAG_MS],
      ...[`,${unwanted.join(',')},`, ...owned],
    ];
    const answer = await this.run('tend', [nodes, this.names.partitions, highest, history], args);
    return answer as Turn | null;
  }

  private take(index: number, base: string): void {
    metrics.streamTakeovers.add();
    const { config, backplane, executor, receipts, connect } = this.parts;
    const stream = this.names.partition(index);
    const place = {
      stream,
      group: COMMAND_GROUP,
      consumer: this.nodeId,
      leaseKey: this.keys.lease(index),
      historyKey: this.keys.history,
      base,
      largest: config.commandMaxBytes,
    };
    const reader = new PartitionReader(connect, place, config.redisTimeoutMs);
    const before = this.held.get(index)?.partition.ended ?? Promise.resolve();
    const moves = new KeyMoves(
      index,
      (partitions) =>
        reader.run('oldest', partitions.map(this.names.partition), []) as Promise<number[]>,
    );
    const partition = new Partition(
      index,
      {
        reader,
        moves,
        dead: new DeadLetters(reader, this.names.dead, this.nodeId),
        executor,
        receipts,
        commandMaxBytes: config.commandMaxBytes,
        isUp: () => backplane.health().up && this.parts.link.up,
        caughtUp: () => backplane.caughtUp(),
        clockAhead: () => this.clockAhead,
      },
      before,
    );
    const held = { partition, base };
    this.held.set(index, held);
    void partition.ended.then(() => this.forget(held));
    log.info({ partition: index }, 'executes a partition');
  }

  /** Another node has it, or nobody. */
  private drop(index: number): void {
    log.warn({ partition: index }, 'the lease of a partition was lost');
    void this.held.get(index)?.partition.stop();
  }

  /** Its connection or what it executes hangs, while this node lives: others may do better. */
  private abandon(held: Held, isLost: boolean): void {
    const { index } = held.partition;
    log.warn({ partition: index }, 'a partition stands still, and is left to others');
    held.partition.abandon();
    this.forget(held);
    if (isLost) return;
    this.hesitatesUntil = Date.now() + HESITATES_MS;
    void this.giveUp(held);
  }

  private async release(held: Held): Promise<void> {
    await held.partition.stop();
    await this.giveUp(held);
  }

  private async giveUp({ partition, base }: Held): Promise<void> {
    if (!this.parts.link.up) return;
    try {
      await this.run('release', [this.keys.lease(partition.index)], [base]);
    } catch (error) {
      log.debug({ code: toGatewayError(error).code }, 'a lease was not given up, it runs out');
    }
  }

  private forget(held: Held): void {
    const { index } = held.partition;
    if (this.held.get(index) === held) this.held.delete(index);
  }

  private readLag(flat: readonly number[]): void {
    this.lag = new Map();
    for (let at = 0; at < flat.length; at += 3)
      this.lag.set(flat[at]!, { entries: flat[at + 1]!, ageMs: flat[at + 2]! });
  }

  private *lagOf(
    value: (lag: { entries: number; ageMs: number }) => number,
  ): Generator<[string, number]> {
    for (const [index, lag] of this.lag) yield [String(index), value(lag)];
  }

  /** @throws GatewayError `backplane_unavailable` */
  private run(
    script: PartitionScript,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    return this.parts.link.call((redis) => runScript(redis, script, keys, args));
  }
}
