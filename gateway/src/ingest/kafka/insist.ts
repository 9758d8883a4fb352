import { setTimeout as delay } from 'node:timers/promises';
import { log, repeated } from '../../ops/log.js';
import { reasonOf } from './kafka-client.js';

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5000;
const TELL_MS = 10_000;

/** Does it once or until it succeeds, and complains. @returns undefined when aborted before */
export async function insist<T>(
  signal: AbortSignal,
  complaint: string,
  action: () => Promise<T>,
): Promise<T | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await action();
    } catch (error) {
      complain(complaint, error);
    }
    await pause(attempt, signal);
    if (signal.aborted) return undefined;
  }
}

/** Says so in the log, not every time. */
export function complain(complaint: string, error: unknown): void {
  repeated(complaint, TELL_MS, (more) => log.warn({ reason: reasonOf(error), more }, complaint));
}

/** Longer each time, and never the same on two nodes; ends with the signal. */
export async function pause(attempt: number, signal: AbortSignal): Promise<void> {
  const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 10));
  const ended = delay(longest * (0.5 + Math.random() / 2), undefined, { signal, ref: false });
  await ended.catch(ignoreAborted);
}

function ignoreAborted(): void {}
