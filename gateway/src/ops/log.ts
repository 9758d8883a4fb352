import { pino } from 'pino';

/**
 * The node's log: JSON, one line per thing that matters. Never tokens, payloads or URLs with
 * passwords. `main.ts` sets the level from the configuration.
 */
export const log = pino({
  base: null,
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (label) => ({ level: label }) },
});
