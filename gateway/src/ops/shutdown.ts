import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config.js';
import { log, repeated } from './log.js';

/** What stopping needs of the node. */
export interface ShutdownParts {
  readonly mode: Config['mode'];
  readonly drain: {
    /** @param options `seconds`: over how long, instead of `STREAMGATE_DRAIN_SECONDS` */
    leave(options?: { seconds?: number }): unknown;
    whenDrained(): Promise<void>;
  };
  /** Lets a drain that runs end within about a second. */
  readonly hurry: () => void;
  /** Closes everything, the management port last. */
  readonly closeAll: () => Promise<void>;
}

/** What an uncaught error leaves of the drain: the node's state can no longer be trusted. */
const FATAL_DRAIN_SECONDS = 3;
const CLOSE_MS = 10_000;
/** What answers under way may still take when a port closes. */
const LAST_ANSWERS_MS = 1000;
const FATAL_MS = FATAL_DRAIN_SECONDS * 1000 + CLOSE_MS;

/**
 * Until `installSignals`: exits at once, and whoever has come in the moment since the port is open comes back as
 * after the death of a node. The first process of a container does not hear a signal that it has no handler for.
 * @returns takes the handlers back
 */
export function exitWhileStarting(): () => void {
  const exit = (_signal: NodeJS.Signals, number: number) => process.exit(128 + number);
  process.on('SIGTERM', exit).on('SIGINT', exit);
  return () => process.off('SIGTERM', exit).off('SIGINT', exit);
}

/**
 * Handles signals and uncaught errors from now on. SIGTERM (and SIGINT in production): drain, close,
 * exit 0; a second signal hurries. SIGINT in development: close at once, exit 0. An uncaught error:
 * log, drain fast, close, exit 1. Exit 1 also when closing fails or takes over 10 s.
 */
export function installSignals({ mode, drain, hurry, closeAll }: ShutdownParts): void {
  let stopping = false;
  let exitCode = 0;

  async function stop(drainSeconds?: number): Promise<void> {
    stopping = true;
    try {
      drain.leave(drainSeconds === undefined ? {} : { seconds: drainSeconds });
      if (drainSeconds !== 0) await drain.whenDrained();
      await within(CLOSE_MS, closeAll());
    } catch (error) {
      log.error({ err: error }, 'stopping failed');
      exitCode = 1;
    }
    log.info({ exitCode }, 'stopped');
    process.exit(exitCode);
  }

  function asked(signal: NodeJS.Signals): void {
    if (stopping) {
      log.info({ signal }, 'hurrying');
      hurry();
      return;
    }
    log.info({ signal }, 'stopping');
    void stop(signal === 'SIGINT' && mode === 'development' ? 0 : undefined);
  }

  function failed(error: unknown, origin: string): void {
    exitCode = 1;
    repeated('uncaught error', 1000, (more) => log.fatal({ err: error, more }, origin));
    if (stopping) {
      hurry();
      return;
    }
    setTimeout(() => process.exit(1), FATAL_MS);
    void stop(FATAL_DRAIN_SECONDS);
  }

  process.on('SIGTERM', asked);
  process.on('SIGINT', asked);
  process.on('uncaughtException', failed);
  process.on('unhandledRejection', (reason) => failed(reason, 'unhandledRejection'));
}

/**
 * Ends a server that nobody is to ask any more. Closing waits for each connection, also for one on which nothing was ever
 * asked (browsers and load balancers open such ahead of time): what is left after a while is cut. Nor is it waited for
 * WebSockets whose other end has vanished, which Node does not cut with the others: they end with the process.
 * @param close resolves when the server has no connections
 */
export async function closeServer(server: Server, close: () => Promise<void>): Promise<void> {
  const impatient = setTimeout(() => server.closeAllConnections(), LAST_ANSWERS_MS);
  const late = delay(2 * LAST_ANSWERS_MS, undefined, { ref: false });
  await Promise.race([close(), late]).finally(() => clearTimeout(impatient));
}

async function within(limitMs: number, work: Promise<void>): Promise<void> {
  const late = delay(limitMs, undefined, { ref: false }).then(() => {
    throw new Error(`not closed within ${limitMs} ms`);
  });
  await Promise.race([work, late]);
}
