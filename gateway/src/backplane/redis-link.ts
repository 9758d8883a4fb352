import type { Redis } from 'ioredis';
import { GatewayError } from '@streamgate/protocol/errors';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import type { BackplaneHealth } from './backplane.js';
import { type RedisConnect, backoff } from './redis-options.js';
import { UnusableRedis, inspect } from './redis-server.js';

/** How often Redis is asked whether it is there while it is. */
const PROBE_MS = 1000;
/** A connection without an answer for so long is given up for a new one. */
const STUCK_MS = 5000;
/** Redis' own settings are looked at again. */
const INSPECT_MS = 60_000;
/** `start` does not wait longer for a Redis that neither answers nor refuses. */
const START_MS = 5000;

/** Why a call did not succeed; carries nothing of the command, which may hold a payload. */
export class LinkFault extends Error {
  override readonly name = 'LinkFault';

  constructor(
    readonly outcome: 'timeout' | 'unavailable' | 'failed',
    message: string,
  ) {
    super(message);
  }
}

/** The connection for commands: every call limited in time, and whether Redis is there. */
export class RedisLink {
  readonly redis: Redis;
  private current: BackplaneHealth = {
    up: false,
    since: Date.now(),
    reason: 'not connected yet',
    warnings: [],
  };
  private readonly roundTrips: { observe(seconds: number): void };
  private readonly companions: Redis[] = [];
  private readonly preparations: ((redis: Redis) => Promise<void>)[] = [];
  private readonly listeners: ((health: BackplaneHealth) => void)[] = [];
  private timer: NodeJS.Timeout | undefined;
  private probing = false;
  private closed = false;
  private attempts = 0;
  /** Milliseconds since the epoch; 0: not on this connection. */
  private inspectedAt = 0;
  private answeredAt = Date.now();
  private lastError = 'not connected';
  private starting: { resolve(): void; reject(error: Error): void } | undefined;

  /**
   * @param timeoutMs longest time a call may take: then Redis counts as away
   * @param connection what it is for, in the log
   */
  constructor(
    connect: RedisConnect,
    private readonly timeoutMs: number,
    private readonly connection = 'backplane',
  ) {
    this.redis = connect('command');
    this.roundTrips = metrics.redisSeconds.of(connection);
    this.accompany(this.redis);
  }

  /** Another connection without which Redis counts as away too. */
  accompany(companion: Redis): void {
    this.companions.push(companion);
    let connected = false;
    companion.on('error', (error: Error) => {
      this.lastError = reasonOf(error);
    });
    companion.on('end', () => this.connectAgain(companion));
    companion.on('close', () => {
      this.starting?.resolve();
      this.setAway(this.lastError);
    });
    companion.on('ready', () => {
      if (connected) metrics.reconnects.add();
      connected = true;
      this.lastError = 'connection lost';
      if (companion === this.redis) this.inspectedAt = 0;
      void this.probe();
    });
  }

  /** What is to be done on a connection before it is used. */
  prepare(preparation: (redis: Redis) => Promise<void>): void {
    this.preparations.push(preparation);
  }

  /**
   * Resolves when Redis is there or known to be away.
   * @throws UnusableRedis a Cluster, or too old
   */
  async start(): Promise<void> {
    const outcome = new Promise<void>((resolve, reject) => {
      this.starting = { resolve, reject };
    });
    const timer = setTimeout(() => this.starting?.resolve(), START_MS);
    void this.probe();
    await outcome.finally(() => clearTimeout(timer));
    this.starting = undefined;
    if (!this.up) this.sayAway(this.current.reason ?? this.lastError);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.redis.disconnect();
  }

  health(): BackplaneHealth {
    return this.current;
  }

  get up(): boolean {
    return this.current.up;
  }

  onChange(listener: (health: BackplaneHealth) => void): void {
    this.listeners.push(listener);
  }

  /**
   * Runs a command: refused at once while Redis is away, given up after the time limit.
   * @param late gets an answer that came after all, when the caller has been refused
   * @throws GatewayError `backplane_unavailable`, with a `LinkFault` as its cause
   */
  async call<T>(run: (redis: Redis) => Promise<T>, late?: (answer: T) => void): Promise<T> {
    if (!this.current.up) {
      metrics.redisFaults.add(this.connection, 'unavailable');
      throw unavailable(new LinkFault('unavailable', 'Redis is away'));
    }
    try {
      return await this.limited(run, late);
    } catch (thrown) {
      const fault = this.faultOf(thrown);
      metrics.redisFaults.add(this.connection, fault.outcome);
      if (fault.outcome === 'timeout') this.setAway(fault.message);
      throw unavailable(fault);
    }
  }

  private async limited<T>(run: (redis: Redis) => Promise<T>, late?: (answer: T) => void) {
    const asked = performance.now();
    const answer = await within(this.timeoutMs, run(this.redis), late);
    this.roundTrips.observe((performance.now() - asked) / 1000);
    this.answeredAt = Date.now();
    return answer;
  }

  private faultOf(thrown: unknown): LinkFault {
    if (thrown instanceof LinkFault) return thrown;
    const reason = reasonOf(thrown);
    if ((thrown as Error).name !== 'ReplyError') return new LinkFault('unavailable', reason);
    log.warn({ reason }, 'Redis refused a command');
    return new LinkFault('failed', reason);
  }

  /** Asks whether Redis is there, and asks again later, until closed. */
  private async probe(): Promise<void> {
    if (this.probing || this.closed) return;
    this.probing = true;
    clearTimeout(this.timer);
    try {
      await this.ask();
      this.attempts = 0;
    } catch (thrown) {
      if (thrown instanceof UnusableRedis) this.starting?.reject(thrown);
      this.setAway(thrown instanceof UnusableRedis ? thrown.message : this.faultOf(thrown).message);
      this.attempts++;
    } finally {
      this.probing = false;
    }
    if (this.closed) return;
    this.timer = setTimeout(() => void this.probe(), this.up ? PROBE_MS : backoff(this.attempts));
    this.timer.unref();
  }

  private async ask(): Promise<void> {
    const missing = this.companions.find(({ status }) => status !== 'ready');
    if (missing) {
      this.reconnectIfStuck();
      throw new LinkFault('unavailable', this.lastError);
    }
    const now = Date.now();
    let { warnings } = this.current;
    if (now - this.inspectedAt >= INSPECT_MS) {
      warnings = await this.limited((redis) => inspect(redis));
      this.inspectedAt = now;
    } else if (!this.up || now - this.answeredAt >= PROBE_MS) await this.ping();
    if (!this.up) for (const prepare of this.preparations) await this.limited(prepare);
    this.setUp(warnings);
  }

  private async ping(): Promise<void> {
    try {
      await this.limited((redis) => redis.ping());
    } catch (thrown) {
      this.reconnectIfStuck();
      throw thrown;
    }
  }

  /** ioredis gives up a connection that ends before it was begun. */
  private connectAgain(companion: Redis): void {
    if (this.closed) return;
    setTimeout(() => {
      // When it fails it says `end` again.
      if (!this.closed && companion.status === 'end')
        companion.connect().catch((error: Error) => {
          this.lastError = reasonOf(error);
        });
    }, backoff(1)).unref();
  }

  /** A connection whose other end has vanished says nothing by itself. */
  private reconnectIfStuck(): void {
    if (Date.now() - this.answeredAt < STUCK_MS) return;
    this.answeredAt = Date.now();
    for (const companion of this.companions)
      if (companion.status === 'ready' || companion.status === 'connect')
        companion.disconnect(true);
  }

  private setUp(warnings: readonly string[]): void {
    if (this.closed) return;
    const changed = !this.current.up;
    for (const warning of warnings)
      if (!this.current.warnings.includes(warning)) log.warn({ warning }, 'Redis');
    this.current = {
      ...(changed ? { up: true, since: Date.now(), reason: undefined } : this.current),
      warnings,
    };
    this.starting?.resolve();
    if (!changed) return;
    log.info({ connection: this.connection }, 'Redis is there');
    this.announce();
  }

  /** Redis cannot be used, as another connection to it has found; it is asked again until it can. */
  setAway(reason: string): void {
    if (this.closed) return;
    if (!this.current.up) {
      this.current = { ...this.current, reason };
      return;
    }
    this.current = { ...this.current, up: false, since: Date.now(), reason };
    this.sayAway(reason);
    this.announce();
    void this.probe();
  }

  private sayAway(reason: string): void {
    log.warn({ connection: this.connection, reason }, 'Redis is away');
  }

  private announce(): void {
    for (const listener of this.listeners) listener(this.current);
  }
}

/**
 * Waits for an answer, but not for ever.
 * @param ms the time limit in milliseconds
 * @param late gets an answer that came after it; a late failure goes nowhere
 * @throws LinkFault `timeout`
 */
export function within<T>(ms: number, promise: Promise<T>, late?: (answer: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let over = false;
    // Once round the event loop more: when it was this process that stood still, the answer may be
    // there unread.
    const timer = setTimeout(() => {
      setImmediate(() => {
        over = true;
        reject(new LinkFault('timeout', `no answer within ${ms} ms`));
      });
    }, ms);
    promise.then(
      (answer) => {
        clearTimeout(timer);
        if (over) late?.(answer);
        else resolve(answer);
      },
      (error: Error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

function unavailable(fault: LinkFault): GatewayError {
  return new GatewayError('backplane_unavailable', undefined, { cause: fault });
}

/** The code of an error: messages of ioredis name hosts, those of Redis may repeat a command. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? /^[A-Z]{2,}\b/.exec(message)?.[0] ?? 'connection lost';
}
