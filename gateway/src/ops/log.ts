import { pino } from 'pino';
import { LogOutput } from './log-output.js';
import { tracing } from './tracing.js';

/** Least first. `silent` logs nothing. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * The node's log: JSON, one line per thing that matters. Never tokens, payloads or URLs with
 * passwords. `main.ts` sets `log.level` from the configuration, the management port at run time.
 */
export const log = pino(
  {
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    mixin: () => tracing.logFields(),
  },
  new LogOutput(process.stdout),
);

interface Repetition {
  more: number;
  write: (more: number) => void;
}

const repetitions = new Map<string, Repetition>();

/**
 * Writes of a fault that repeats: at once the first time, then once per interval for as long as it
 * goes on. `repeated('redis', 10_000, (more) => log.warn({ more }, 'Redis is away'))`
 * @param key names the fault; of a bounded set
 * @param intervalMs milliseconds
 * @param write called with how many came since the line before, 0 at first
 */
export function repeated(key: string, intervalMs: number, write: (more: number) => void): void {
  const known = repetitions.get(key);
  if (known) {
    known.more += 1;
    known.write = write;
    return;
  }
  const repetition: Repetition = { more: 0, write };
  repetitions.set(key, repetition);
  write(0);
  const timer = setInterval(() => {
    const { more } = repetition;
    repetition.more = 0;
    if (more > 0) return repetition.write(more);
    clearInterval(timer);
    repetitions.delete(key);
  }, intervalMs);
  timer.unref();
}
