import type { ClosingCause } from '@streamgate/protocol/closings';
import type { Config } from '../config.js';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import { closeConnection, terminateConnection } from './close-connection.js';
import { PacedList } from './pacing.js';
import type { Connection } from './socket-io-internals.js';

/** The connections of this node. */
export interface Connections {
  all(): Iterable<Connection>;
  count(): number;
}

export interface DrainState {
  readonly state: 'serving' | 'draining' | 'drained';
  readonly remaining: number;
  readonly rate: number;
  readonly etaSeconds: number;
}

const TICK_MS = 100;
const HURRY_SECONDS = 1;

/**
 * Empties this node, or moves a share of its sessions off: transports are closed at an even pace,
 * their clients come back by themselves, to other nodes, and continue their sessions there.
 */
export class Drain {
  private plan: PacedList<Connection> | undefined;
  private shedding: PacedList<Connection> | undefined;
  private hurried = false;
  private leaving = false;
  private drained = Promise.withResolvers<void>();
  private timer: NodeJS.Timeout | undefined;

  /** @param notice tells clients within how many ms they are going to be moved */
  constructor(
    private readonly config: Pick<Config, 'drainSeconds'>,
    private readonly connections: Connections,
    private readonly notice?: (withinMs: number) => void,
  ) {}

  /** While true nobody is admitted and the node is not ready. */
  get draining(): boolean {
    return this.plan !== undefined;
  }

  /**
   * Begins, or goes on at another pace.
   * @param options `seconds`: over how long, instead of the configuration's
   */
  start({ seconds = this.config.drainSeconds }: { seconds?: number } = {}): DrainState {
    const first = this.plan === undefined;
    this.shedding = undefined;
    this.plan = this.paced(seconds);
    if (first) {
      log.info({ sessions: this.connections.count(), seconds }, 'drain begins');
      this.notice?.(seconds * 1000);
    }
    this.run();
    return this.status();
  }

  /** A drain for good, before the process ends: it cannot be aborted. */
  leave(options?: { seconds?: number }): DrainState {
    this.leaving = true;
    return this.start(options);
  }

  /** Everybody off within a second, by force if need be: the second signal. */
  hurry(): DrainState {
    this.hurried = true;
    return this.start({ seconds: HURRY_SECONDS });
  }

  /** Back to serving, and an end to shedding; who was moved off stays away. Not while leaving. */
  abort(): DrainState {
    if (this.leaving) return this.status();
    if (this.plan) log.info({ remaining: this.connections.count() }, 'drain aborted');
    if (this.status().state === 'drained') this.drained = Promise.withResolvers();
    this.plan = undefined;
    this.shedding = undefined;
    this.hurried = false;
    this.stop();
    return this.status();
  }

  status(): DrainState {
    const { plan } = this;
    const remaining = this.connections.count();
    if (!plan) return { state: 'serving', remaining, rate: 0, etaSeconds: 0 };
    if (remaining === 0) return { state: 'drained', remaining, rate: 0, etaSeconds: 0 };
    return { state: 'draining', remaining, ...progress(plan) };
  }

  /** Resolves when a drain has left nobody. */
  whenDrained(): Promise<void> {
    return this.drained.promise;
  }

  /** Moves a share off while others are admitted; replaces an earlier share, does nothing in a drain. */
  shed({
    sessions,
    percent = 0,
    seconds,
  }: {
    sessions?: number;
    percent?: number;
    seconds: number;
  }) {
    if (this.plan) return { sessions: 0, rate: 0, etaSeconds: 0 };
    const count = sessions ?? Math.ceil((this.connections.count() * percent) / 100);
    const shedding = this.paced(seconds, count);
    const status = { sessions: shedding.left, ...progress(shedding) };
    log.info(status, 'shedding begins');
    this.shedding = shedding;
    this.run();
    return status;
  }

  private paced(seconds: number, count = Infinity): PacedList<Connection> {
    const open = [...this.connections.all()].filter(({ readyState }) => readyState === 'open');
    return new PacedList(open.slice(0, count), seconds, performance.now());
  }

  private run(): void {
    this.timer ??= setInterval(() => this.tick(), TICK_MS);
    this.tick();
  }

  private stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private tick(): void {
    const now = performance.now();
    if (this.plan) this.drainStep(this.plan, now);
    else if (this.shedding) {
      closeAll(this.shedding.step(now), 'shed');
      if (this.shedding.left === 0) this.shedding = undefined;
    } else this.stop();
  }

  private drainStep(plan: PacedList<Connection>, now: number): void {
    closeAll(plan.step(now), 'drain');
    if (plan.left === 0 && this.connections.count() > 0) {
      if (this.hurried)
        for (const connection of this.connections.all()) terminateConnection(connection);
      // Whoever was just being admitted when the drain began.
      else this.plan = this.paced(plan.msLeft(now) / 1000);
    }
    if (this.connections.count() > 0) return;
    log.info('drained');
    this.stop();
    this.drained.resolve();
  }
}

function progress(list: PacedList<Connection>): { rate: number; etaSeconds: number } {
  const now = performance.now();
  const etaSeconds = list.left === 0 ? 0 : Math.ceil(list.msLeft(now) / 1000);
  return { rate: Number(list.rate(now).toFixed(1)), etaSeconds };
}

function closeAll(connections: readonly Connection[], cause: ClosingCause): void {
  for (const connection of connections) {
    if (connection.readyState !== 'open') continue;
    metrics.closings.add(cause);
    closeConnection(connection);
  }
}
