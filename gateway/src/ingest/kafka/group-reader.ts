import { setTimeout as delay } from 'node:timers/promises';
import {
  Consumer,
  type MessagesStream,
  MessagesStreamFallbackModes,
  MessagesStreamModes,
} from '@platformatic/kafka';
import { type KafkaConfig, clientOptions } from './kafka-client.js';
import type { KafkaMessage } from './kafka-message.js';
import { kafkaNames } from './kafka-names.js';

/** Messages executed together. */
const BATCH = 64;
/** With fewer messages waiting more are fetched, and bytes of one fetch: what a node holds. */
const AHEAD = 100;
const FETCH_BYTES = 4 * 1024 * 1024;
const PARTITION_BYTES = 1024 * 1024;
/** The least that brokers allow unless told: a node that died is replaced within seconds. */
const SESSION_MS = 6000;
const HEARTBEAT_MS = 1500;
const REBALANCE_MS = 10_000;
/** How long a rebalance waits for what is being executed; less than a session lasts. */
const YIELD_MS = 3000;
const FETCH_WAIT_MS = 1000;
const CLOSE_MS = 3000;

/**
 * Executes messages in order.
 * @param signal aborted when the partitions are about to move: what is not begun is left
 * @returns how many, from the first on, are done for good
 */
export type Handle = (batch: readonly KafkaMessage[], signal: AbortSignal) => Promise<number>;

/**
 * A member of the consumer group. It hands out the messages of its partitions in order, a batch at
 * a time, and commits them when they are done. Before partitions move it finishes what it has begun,
 * and afterwards it reads from the last commit: what it had read ahead is not executed.
 */
export class GroupReader {
  private readonly consumer: Consumer<Buffer, Buffer, string, string>;
  private readonly topics: string[];
  private stream: MessagesStream<Buffer, Buffer, string, string> | undefined;
  /** Of the membership that lasts until the next rebalance. */
  private membership = new AbortController();
  /** The membership that `stream` reads for. */
  private reading: AbortController | undefined;
  private busy: Promise<void> = Promise.resolve();
  private fault: Error | undefined;
  private closing = false;
  /** When the group last knew of this member, in milliseconds since the epoch. */
  private heardAt = 0;
  private wake: () => void = () => {};

  /** @param onJoin called after each rebalance */
  constructor(
    config: KafkaConfig,
    topics: Iterable<string>,
    private readonly onJoin: () => void,
  ) {
    this.topics = [...topics];
    this.consumer = new Consumer<Buffer, Buffer, string, string>({
      ...clientOptions(config),
      groupId: kafkaNames(config.kafkaTopicPrefix).group,
      deserializers: { headerKey: text, headerValue: text },
      autocommit: false,
      sessionTimeout: SESSION_MS,
      rebalanceTimeout: REBALANCE_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTime: FETCH_WAIT_MS,
      maxBytes: FETCH_BYTES,
      maxBytesPerPartition: PARTITION_BYTES,
      highWaterMark: AHEAD,
      // The one thing that the client waits for before it rejoins: the group moves no partition
      // until every member has.
      protocolsMetadata: () => this.yieldPartitions(),
    });
    this.consumer.on('error', (error) => this.fail(error));
    this.consumer.on('consumer:heartbeat:stalled', () => this.fail(new Error('no heartbeat')));
    this.consumer.on('consumer:group:join', () => this.joined());
    this.consumer.on('consumer:heartbeat:end', () => this.heard());
  }

  /**
   * Reads until closed.
   * @throws Error when the brokers cannot be reached or do not keep this member
   */
  async run(handle: Handle): Promise<void> {
    while (!this.closing) {
      if (this.fault) throw this.fault;
      const batch = this.read();
      if (batch.length > 0) await (this.busy = this.execute(batch, handle));
      else if (this.reading !== this.membership) await this.open();
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  /** Messages behind the last commit in the partitions of this member. */
  async lag(): Promise<number> {
    const lags = await this.consumer.getLag({ topics: this.topics });
    return [...lags.values()].flat().reduce((sum, lag) => sum + Math.max(0, Number(lag)), 0);
  }

  /** Finishes what is being executed and leaves the group, so that others take over at once. */
  async close(): Promise<void> {
    this.closing = true;
    this.membership.abort();
    this.wake();
    const left = this.busy.catch(ignoreFailed).then(() => this.consumer.close(true));
    // A broker that is away is not waited for: the group notices by itself.
    await Promise.race([left.catch(ignoreLeft), delay(CLOSE_MS, undefined, { ref: false })]);
  }

  private async open(): Promise<void> {
    const { stream: former } = this;
    const membership = this.membership;
    const stream = await this.consumer.consume({
      topics: this.topics,
      mode: MessagesStreamModes.COMMITTED,
      fallbackMode: MessagesStreamFallbackModes.EARLIEST,
      autocommit: false,
    });
    // Only now: without any stream the client would leave the topics.
    former?.removeAllListeners('readable').destroy();
    this.stream = stream;
    this.reading = former ? membership : this.membership;
    stream.on('readable', () => this.wake());
    const ended = (error: Error) => this.stream === stream && this.fail(error);
    stream.on('error', ended);
    stream.on('close', () => ended(new Error('the stream of messages ended')));
  }

  /** What has been read, unless the partitions are about to move or have moved. */
  private read(): KafkaMessage[] {
    const batch: KafkaMessage[] = [];
    const { stream, membership } = this;
    if (this.reading !== membership || membership.signal.aborted) return batch;
    // A node that stood still has been replaced; it is told so with its next heartbeat.
    if (Date.now() - this.heardAt > SESSION_MS) return batch;
    while (batch.length < BATCH) {
      const message = stream?.read() as KafkaMessage | null | undefined;
      if (!message) break;
      batch.push(message);
    }
    return batch;
  }

  private async execute(batch: readonly KafkaMessage[], handle: Handle): Promise<void> {
    const done = await handle(batch, this.membership.signal);
    const last = new Map<string, KafkaMessage>();
    for (const message of batch.slice(0, done))
      last.set(`${message.topic}:${message.partition}`, message);
    if (last.size === 0) return;
    await this.consumer.commit({
      offsets: [...last.values()].map(({ topic, partition, offset, leaderEpoch }) => ({
        topic,
        partition,
        offset: offset + 1n,
        leaderEpoch,
      })),
    });
  }

  private async yieldPartitions(): Promise<Buffer> {
    this.membership.abort();
    await Promise.race([this.busy.catch(ignoreFailed), delay(YIELD_MS, undefined, { ref: false })]);
    return Buffer.alloc(0);
  }

  private joined(): void {
    this.membership = new AbortController();
    if (this.closing) this.membership.abort();
    this.onJoin();
    this.heard();
  }

  private heard(): void {
    this.heardAt = Date.now();
    this.wake();
  }

  private fail(error: Error): void {
    this.fault ??= error;
    this.membership.abort();
    this.wake();
  }
}

function text(data?: Buffer): string {
  return data?.toString() ?? '';
}

/** Leaving is a courtesy. */
function ignoreLeft(): void {}

/** `run` has thrown it. */
function ignoreFailed(): void {}
