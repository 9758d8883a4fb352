import { type ErrorCode, GatewayError } from '@streamgate/protocol/errors';
import { log, repeated } from '../../ops/log.js';
import { metrics } from '../../ops/metrics.js';
import { StoreConfigError, type StoreHealth } from './chat-store.js';
import { faultOf } from './faults.js';
import type { Db } from './tables.js';

/** How often a database that is away is tried, and one that is there is asked whether it is; and when once more. */
const RETRY_MS = 500;
const CHECK_MS = 2000;
const AGAIN_MS = 100;
const LOG_MS = 10_000;
/** As metrics count them; whatever else is told was asked wrongly, and answered. */
const OUTCOMES: Partial<Record<ErrorCode, string>> = {
  database_unavailable: 'unavailable',
  internal: 'failed',
};

/** An open database with a schema that is up to date. */
export interface Link {
  readonly db: Db;
  /** Rejects when nothing can be written. */
  check(): Promise<void>;
  /** Lets what is on its way end. */
  close(): Promise<void>;
  /** Breaks every connection, also one that waits for an answer. */
  drop(): void;
}

export interface Engine {
  /**
   * Opens the database and migrates it.
   * @param onCut called when a connection broke that nobody used
   * @throws StoreConfigError, errors of the driver
   */
  open(onCut: () => void): Promise<Link>;
  /** Opens it for as long as the work takes, whose statements may take as long as they need. */
  withMigrator<T>(work: (db: Db) => Promise<T>): Promise<T>;
}

/**
 * The database as callers see it: there, or away and refused at once. Once it is found away, all
 * that waits for it is refused too, and it is tried in the background until it is back.
 */
export class Database {
  private link: Link | undefined;
  private state: StoreHealth = { up: false, since: new Date(), reason: 'not started' };
  private readonly waiting = new Set<(error: GatewayError) => void>();
  private timer: NodeJS.Timeout | undefined;
  private trying: Promise<void> | undefined;
  private closed = false;

  constructor(private readonly engine: Engine) {}

  /**
   * Resolves also when the database is away.
   * @throws StoreConfigError
   */
  async start(): Promise<void> {
    try {
      await this.connect();
    } catch (error) {
      const fault = error instanceof StoreConfigError ? error : asConfigError(error);
      if (fault) throw fault;
      this.missing(error);
    }
  }

  health(): StoreHealth {
    return this.state;
  }

  /**
   * @throws GatewayError `database_unavailable`: also when it did not answer in time, and then the
   *   work may have been done; `internal`
   */
  async run<T>(work: (db: Db) => Promise<T>): Promise<T> {
    const { link } = this;
    if (!link) {
      metrics.databaseQueries.add('unavailable');
      throw unavailable();
    }
    const began = performance.now();
    let refuse: (error: GatewayError) => void = () => undefined;
    const lost = new Promise<never>((_, reject) => {
      refuse = reject;
    });
    this.waiting.add(refuse);
    try {
      const result = await Promise.race([work(link.db), lost]);
      metrics.databaseQueries.add('done');
      return result;
    } catch (error) {
      const told = this.judged(error, link);
      metrics.databaseQueries.add(OUTCOMES[told.code] ?? 'done');
      throw told;
    } finally {
      this.waiting.delete(refuse);
      metrics.databaseSeconds.observe((performance.now() - began) / 1000);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.trying;
    const { link } = this;
    this.link = undefined;
    this.state = { up: false, since: new Date(), reason: 'closed' };
    await link?.close();
  }

  /** What the caller is told, after what it means for the database was done. */
  private judged(error: unknown, link: Link): GatewayError {
    if (error instanceof GatewayError) return error;
    const { kind, reason } = faultOf(error);
    if (kind === 'ours')
      return new GatewayError('internal', undefined, { cause: withoutValues(error) });
    if (kind === 'cut') this.checkSoon(0);
    else if (kind !== 'busy') this.lose(link, reason);
    return unavailable(error);
  }

  private lose(link: Link, reason: string): void {
    if (this.link !== link) return;
    this.link = undefined;
    this.state = { up: false, since: new Date(), reason };
    log.warn({ reason }, 'the database is away');
    link.drop();
    for (const refuse of this.waiting) refuse(unavailable());
    this.later(RETRY_MS, () => this.reconnect());
  }

  private async connect(): Promise<void> {
    const link = await this.engine.open(() => this.checkSoon(0));
    if (this.closed) return link.close();
    this.link = link;
    this.state = { up: true, since: new Date(), reason: undefined };
    this.checkSoon(CHECK_MS);
  }

  private reconnect(): void {
    this.trying = this.connect().then(
      () => log.info('the database is back'),
      (error: unknown) => this.missing(error),
    );
  }

  private missing(error: unknown): void {
    const reason = error instanceof StoreConfigError ? error.message : faultOf(error).reason;
    this.state = { ...this.state, reason };
    repeated('database', LOG_MS, (more) => log.warn({ reason, more }, 'the database is away'));
    this.later(RETRY_MS, () => this.reconnect());
  }

  /** Nobody may be using it when it goes, or returns read-only. */
  private checkSoon(ms: number, isAgain = false): void {
    const { link } = this;
    if (!link) return;
    this.later(ms, () => {
      this.trying = link.check().then(
        () => this.link === link && this.checkSoon(CHECK_MS),
        (error: unknown) => {
          const { kind, reason } = faultOf(error);
          if (kind === 'busy') this.checkSoon(CHECK_MS);
          // It may have asked on a connection that broke together with the one before.
          else if (kind === 'cut' && !isAgain) this.checkSoon(AGAIN_MS, true);
          else this.lose(link, reason);
        },
      ) as Promise<void>;
    });
  }

  /** One timer: either it is there and checked, or away and tried. */
  private later(ms: number, act: () => void): void {
    clearTimeout(this.timer);
    if (!this.closed) this.timer = setTimeout(act, ms).unref();
  }
}

function asConfigError(error: unknown): StoreConfigError | undefined {
  const { kind, reason } = faultOf(error);
  if (kind !== 'config' && kind !== 'ours') return undefined;
  return new StoreConfigError(`The database cannot be used: ${reason}.`, {
    cause: withoutValues(error),
  });
}

/** What PostgreSQL says of an error quotes values: those of messages, too. */
function withoutValues(error: unknown): unknown {
  if (!(error instanceof Error && 'severity' in error)) return error;
  const { code, table, constraint, routine } = error as Error & Record<string, unknown>;
  const message = `the database refused a statement: ${faultOf(error).reason}`;
  return Object.assign(new Error(message), { code, table, constraint, routine });
}

function unavailable(cause?: unknown): GatewayError {
  return new GatewayError('database_unavailable', undefined, {
    retryAfterMs: RETRY_MS,
    cause: withoutValues(cause),
  });
}
