import { setTimeout as delay } from 'node:timers/promises';
import { log } from '../../ops/log.js';
import { metrics } from '../../ops/metrics.js';
import type { Door } from '../door.js';
import { complain, pause } from './insist.js';
import type { KafkaParts, KafkaSession } from './kafka-session.js';

const CLOSE_MS = 1000;

/**
 * The Kafka door: executes what services write to its topics, in the order of each partition, and
 * commits what is done. While Kafka is away the node goes on without it.
 */
export class KafkaDoor implements Door {
  private readonly closing = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private session: KafkaSession | undefined;
  private joined = false;

  constructor(private readonly parts: KafkaParts) {}

  start(): void {
    metrics.kafkaUp.read(() => Number(this.joined));
    metrics.kafkaLag.read(() => this.session?.lag ?? 0);
    this.running = this.run();
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.session?.close();
    // A broker that is away is not waited for.
    await Promise.race([this.running, delay(CLOSE_MS, undefined, { ref: false })]);
  }

  private async run(): Promise<void> {
    const { signal } = this.closing;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        await this.serve(() => (attempt = 0));
      } catch (error) {
        if (!signal.aborted) complain('Kafka is away', error);
      }
      await pause(attempt, signal);
    }
  }

  private async serve(onJoin: () => void): Promise<void> {
    // Only now: the client takes 60 MB, and most nodes have no Kafka.
    const { KafkaSession } = await import('./kafka-session.js');
    const session = await KafkaSession.open(this.parts, () => {
      if (!this.joined) log.info('Kafka is there');
      this.joined = true;
      onJoin();
    });
    this.session = session;
    if (this.closing.signal.aborted) await session.close();
    try {
      await session.run();
    } finally {
      this.joined = false;
      this.session = undefined;
    }
  }
}
