import type { OutboundEntry, OutboundType } from '@streamgate/protocol/outbound';
import { streamNames } from '@streamgate/protocol/stream';
import type { Config } from '../config.js';
import { metrics } from '../ops/metrics.js';
import { tracing } from '../ops/tracing.js';
import type { RedisLink } from './redis-link.js';

/** What a client said or did. `data` is any JSON, the time is now, the trace is the active one. */
export type OutboundEvent = Omit<OutboundEntry, 'data' | 'time' | 'traceparent'> & {
  readonly data: unknown;
};

/** The stream in which services hear clients: `STREAMGATE_EVENTS_OUT`. */
export class EventsOut {
  private readonly wanted: ReadonlySet<OutboundType>;
  private readonly stream: string;
  private readonly length: number;

  /** @param link undefined on a node without Redis: then nobody hears anything */
  constructor(
    config: Pick<Config, 'eventsOut' | 'eventsOutLength' | 'redisPrefix'>,
    private readonly link: RedisLink | undefined,
  ) {
    this.wanted = new Set(config.eventsOut);
    this.stream = streamNames(config.redisPrefix).events;
    this.length = config.eventsOutLength;
  }

  /** Whether services asked to hear this. */
  wants(type: OutboundType): boolean {
    return this.link !== undefined && this.wanted.has(type);
  }

  /**
   * Resolves when it is written, or at once when nobody asked.
   * @throws GatewayError `backplane_unavailable`: it may have been written all the same
   */
  async write(event: OutboundEvent): Promise<void> {
    if (!this.link || !this.wants(event.type)) return;
    const entry = {
      ...event,
      data: JSON.stringify(event.data),
      time: new Date().toISOString(),
      traceparent: tracing.active()?.traceparent,
    };
    const fields = Object.entries(entry).flatMap(([name, value]) =>
      value === undefined ? [] : [name, value],
    );
    try {
      await this.link.call((redis) =>
        redis.xadd(this.stream, 'MAXLEN', '~', this.length, '*', ...fields),
      );
      metrics.eventsOut.add('written');
    } catch (error) {
      metrics.eventsOut.add('failed');
      throw error;
    }
  }

  /** For what nobody waits for: one that cannot be written is counted, no more. */
  tell(event: OutboundEvent): void {
    this.write(event).catch(ignoreCounted);
  }
}

/** `write` has counted it; while Redis is away the connection says so in the log. */
function ignoreCounted(): void {}
