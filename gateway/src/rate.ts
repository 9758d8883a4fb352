/**
 * A token bucket as one number (GCRA): the moment until which what was taken is paid for. It lies
 * in the past while the bucket is full, and as far ahead as `burstMs` when it is empty. All in ms;
 * one thing taken costs 1000 / rate.
 */
export function afterTaking(paidUntil: number, costMs: number, now: number): number {
  return Math.max(paidUntil, now) + costMs;
}

/** Whole milliseconds to wait until the bucket covers it; 0 or less: it does. */
export function overdraft(paidUntil: number, burstMs: number, now: number): number {
  // Sums of fractions are a little off: less than a millisecond is nothing.
  return Math.floor(paidUntil - now - burstMs);
}
