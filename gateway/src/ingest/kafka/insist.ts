import { setTimeout as delay } from 'node:timers/promises';
import { backoff } from '../../backplane/redis-options.js';
import { log, repeated } from '../../ops/log.js';
import { reasonOf } from './kafka-client.js';

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

/** Longer each time; ends with the signal. */
export async function pause(attempt: number, signal: AbortSignal): Promise<void> {
  await delay(backoff(attempt), undefined, { signal, ref: false }).catch(ignoreAborted);
}

function ignoreAborted(): void {}
