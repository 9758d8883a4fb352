import type { EmitterError } from './emitter-error.js';

const QUIET_MS = 10_000;

/** Process warnings, one for each code in ten seconds: an outage fails thousands of commands alike. */
export function warner(): (error: EmitterError) => void {
  const last = new Map<string, number>();
  return ({ code, message }) => {
    const now = performance.now();
    if (now - (last.get(code) ?? -Infinity) < QUIET_MS) return;
    last.set(code, now);
    process.emitWarning(message, { type: 'StreamgateWarning', code });
  };
}
