import type { Redis } from 'ioredis';
import { type Script, type ScriptName, scripts } from './scripts.js';

/** What a connection is for: commands, or blocking reads. */
export type RedisPurpose = 'command' | 'reader';

/** Makes a connection of the adapter's own; the adapter ends it. */
export type RedisConnect = (purpose: RedisPurpose) => Redis;

export interface Health {
  /** False while Redis cannot be reached or does not answer in time. */
  readonly up: boolean;
  /** Milliseconds since the epoch of the last change. */
  readonly since: number;
  /** Why it is away; carries no address or password. */
  readonly reason: string | undefined;
}

/** Redis did not take a call. `timeout`: it may have taken it nevertheless. */
export class RedisAway extends Error {
  override readonly name = 'RedisAway';
  readonly #serve: ((act: () => void) => void) | undefined;

  /** @param serve calls it, if what was refused is still to be served */
  constructor(
    readonly outcome: 'unavailable' | 'timeout' | 'failed',
    message: string,
    serve?: (act: () => void) => void,
  ) {
    super(message);
    this.#serve = serve;
  }

  /** Does something in place of what was refused, unless that has come from Redis nevertheless. */
  instead(act: () => void): void {
    if (this.#serve) this.#serve(act);
    else act();
  }
}

export type Arg = string | number | Buffer;

const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2000;
/** A connection without an answer for so long is given up for a new one. */
const STUCK_MS = 5000;
/** Replies of a Redis that does not, or not any more, serve the keys. */
const ELSEWHERE = /^(?:MOVED|ASK|TRYAGAIN|CLUSTERDOWN|READONLY|MASTERDOWN|LOADING) /;

/** Milliseconds before the next try: longer each time, and never the same on two nodes. */
export function backoff(attempt: number): number {
  const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.ceil(longest * (0.5 + Math.random() / 2));
}

export interface LinkHooks {
  /** What is to be done on a connection before it counts as up. */
  prepare(): Promise<void>;
  changed(health: Health): void;
  /** This node was cleared away. */
  fenced(node: string): void;
}

/** The connections to Redis: whether it is there, and every call limited in time. */
export class Link {
  readonly command: Redis;
  readonly reader: Redis;
  private state: 'away' | 'preparing' | 'up' = 'away';
  private current: Health = { up: false, since: Date.now(), reason: 'not connected yet' };
  private lastError = 'not connected';
  private attempts = 0;
  /** Calls that have not been answered, in order. */
  private open = new Set<(error: RedisAway) => void>();
  private settled = 0;
  private reviving = false;
  private answeredAt = Date.now();
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    connect: RedisConnect,
    private readonly base: string,
    private readonly timeoutMs: number,
    private readonly hooks: LinkHooks,
  ) {
    this.command = connect('command');
    this.reader = connect('reader');
    for (const redis of [this.command, this.reader]) {
      // A call that waits in a queue would hide that Redis is away, and one whose answer was lost must
      // not be repeated unasked.
      redis.options.enableOfflineQueue = false;
      redis.options.autoResendUnfulfilledCommands = false;
      redis.options.maxRetriesPerRequest = 0;
      redis.on('error', (error: Error) => {
        this.lastError = reasonOf(error);
      });
      redis.on('close', () => {
        if (redis === this.command) this.setAway(this.lastError);
        else this.awaitReader();
      });
      // Where it was to connect to could not be found out.
      redis.on('end', () => this.connectAgain(redis));
      redis.on('ready', () => {
        this.lastError = 'connection lost';
        void this.revive();
      });
    }
    void this.revive();
  }

  get health(): Health {
    return this.current;
  }

  get up(): boolean {
    return this.state === 'up';
  }

  /** Whether changes may be sent: also while the node is still making itself known. */
  get takesChanges(): boolean {
    return this.state !== 'away';
  }

  /**
   * Runs a script for the node.
   * @throws RedisAway at once while Redis is away, after the time limit when it does not answer
   */
  async run(name: ScriptName, args: readonly Arg[]): Promise<unknown> {
    if (this.state === 'away') throw new RedisAway('unavailable', 'Redis is away');
    this.leaveTogether();
    try {
      return await this.limited(
        this.command.call('EVALSHA', scripts[name].sha, 1, this.base, ...args),
      );
    } catch (error) {
      throw this.faultOf(error, String(args[0]));
    }
  }

  /**
   * As `run`, with a script that is not of the known ones: Redis is given all of it when it lacks it.
   * @throws RedisAway also while the node is not known yet
   */
  async runOther({ lua, sha }: Script, args: readonly Arg[]): Promise<unknown> {
    if (!this.up) throw new RedisAway('unavailable', 'Redis is away');
    this.leaveTogether();
    const send = (how: string, script: string) =>
      this.command.call(how, script, 1, this.base, ...args);
    const answer = send('EVALSHA', sha).catch((error: Error) => {
      if (!error.message.startsWith('NOSCRIPT')) throw error;
      return send('EVAL', lua);
    });
    try {
      return await this.limited(answer);
    } catch (error) {
      throw this.faultOf(error, String(args[0]));
    }
  }

  /** Runs a command. @throws RedisAway */
  async call<T>(run: (redis: Redis) => Promise<T>): Promise<T> {
    if (this.state === 'away') throw new RedisAway('unavailable', 'Redis is away');
    this.leaveTogether();
    try {
      return await this.limited(run(this.command));
    } catch (error) {
      throw this.faultOf(error);
    }
  }

  /** Counts as away, and is prepared anew as soon as it can be. */
  reset(reason: string): void {
    this.setAway(reason);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.state = 'away';
    this.command.disconnect();
    this.reader.disconnect();
  }

  /** Calls of one turn leave with one call of the system, and Redis reads them at once. */
  private leaveTogether(): void {
    const { stream } = this.command;
    if (stream.writableCorked > 0) return;
    stream.cork();
    process.nextTick(() => stream.uncork());
  }

  /**
   * What is published while only the reader is away is delivered when it is back, which is in a moment:
   * to refuse it meanwhile would let it overtake what waits in the mailbox.
   */
  private awaitReader(): void {
    setTimeout(() => {
      if (this.reader.status !== 'ready') this.setAway(this.lastError);
    }, this.timeoutMs).unref();
  }

  private async limited<T>(answer: Promise<T>): Promise<T> {
    const value = await this.within(answer);
    this.answeredAt = Date.now();
    return value;
  }

  private faultOf(error: unknown, node = ''): RedisAway {
    if (error instanceof RedisAway) {
      if (error.outcome === 'timeout') this.setAway(error.message);
      return error;
    }
    const { name, message } = error as Error;
    if (name !== 'ReplyError') return new RedisAway('unavailable', reasonOf(error));
    this.answeredAt = Date.now();
    if (message.startsWith('FENCED')) this.hooks.fenced(node);
    if (message.startsWith('NOSCRIPT')) this.setAway('scripts are gone');
    if (ELSEWHERE.test(message)) this.goElsewhere(reasonOf(error));
    return new RedisAway('failed', message.startsWith('FORMAT') ? message : reasonOf(error));
  }

  private async revive(): Promise<void> {
    if (this.closed || this.reviving || this.state === 'up') return;
    this.reviving = true;
    clearTimeout(this.timer);
    if (this.command.status === 'ready' && this.reader.status === 'ready') {
      this.state = 'preparing';
      try {
        await this.loadScripts();
        await this.hooks.prepare();
        if (this.setUp()) return;
      } catch (error) {
        const { message } = error instanceof RedisAway ? error : this.faultOf(error);
        this.setAway(message);
      } finally {
        this.reviving = false;
      }
    }
    this.reviving = false;
    this.reconnectIfStuck();
    this.attempts++;
    this.retry();
  }

  private connectAgain(redis: Redis): void {
    const timer = setTimeout(
      () => {
        // When it fails it says `end` again.
        if (!this.closed)
          redis.connect().catch((error: Error) => (this.lastError = reasonOf(error)));
      },
      backoff(this.attempts + 1),
    );
    timer.unref();
  }

  private goElsewhere(reason: string): void {
    this.setAway(reason);
    for (const redis of [this.command, this.reader]) redis.disconnect(true);
  }

  private retry(): void {
    if (this.closed) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.revive(), backoff(this.attempts));
    this.timer.unref();
  }

  private async loadScripts(): Promise<void> {
    const loads = Object.values(scripts).map(({ lua }) => this.command.script('LOAD', lua));
    await this.limited(Promise.all(loads));
  }

  /** A connection whose other end has vanished says nothing by itself. */
  private reconnectIfStuck(): void {
    if (Date.now() - this.answeredAt < STUCK_MS) return;
    this.answeredAt = Date.now();
    for (const redis of [this.command, this.reader])
      if (redis.status === 'ready' || redis.status === 'connect') redis.disconnect(true);
  }

  /** @returns false: it was lost again while it was prepared */
  private setUp(): boolean {
    if (this.closed || this.state !== 'preparing') return false;
    this.state = 'up';
    this.attempts = 0;
    this.current = { up: true, since: Date.now(), reason: undefined };
    this.hooks.changed(this.current);
    return true;
  }

  private setAway(reason: string): void {
    if (this.closed) return;
    const wasUp = this.state === 'up';
    this.state = 'away';
    this.current = { up: false, since: wasUp ? Date.now() : this.current.since, reason };
    this.retry();
    // What is refused from now on must not overtake what was asked before.
    const { open } = this;
    this.open = new Set();
    for (const giveUp of open) giveUp(new RedisAway('timeout', reason));
    if (wasUp) this.hooks.changed(this.current);
  }

  /** @throws RedisAway `timeout`, also when Redis is found to be away meanwhile */
  private within<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const ms = this.timeoutMs;
      // Once round the event loop more: after a long task of our own the answer may be there unread.
      const timer = setTimeout(() => {
        setImmediate(() => giveUp(new RedisAway('timeout', `no answer within ${ms} ms`)));
      }, ms);
      const settle = () => {
        clearTimeout(timer);
        this.open.delete(giveUp);
        // As with the letters in `Outbox`.
        if (++this.settled % 64 === 0) this.open = new Set(this.open);
      };
      const giveUp = (error: Error) => {
        settle();
        reject(error);
      };
      this.open.add(giveUp);
      answer.then((value) => {
        settle();
        resolve(value);
      }, giveUp);
    });
  }
}

/** The code of an error: messages of ioredis name hosts, those of Redis may repeat a command. */
function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? /^[A-Z]{2,}\b/.exec(message)?.[0] ?? 'connection lost';
}
