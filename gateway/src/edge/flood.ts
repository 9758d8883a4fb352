import type { Config } from '../config.js';
import { afterTaking, overdraft } from '../rate.js';

/** What a session has used up: two numbers (see rate.ts), both 0 at first. */
export interface FloodMeter {
  eventsPaidUntil: number;
  bytesPaidUntil: number;
}

/** What sessions may do; made once from the configuration, all in ms. */
export interface FloodLimits {
  readonly msPerEvent: number;
  readonly eventsBurstMs: number;
  readonly msPerByte: number;
  readonly bytesBurstMs: number;
}

/**
 * `ok`; or the milliseconds to wait, said as `rate_limited`; or `close`: the session went on for
 * another full burst although it was told.
 */
export type FloodVerdict = 'ok' | 'close' | number;

const BYTES_BURST_SECONDS = 4;

export function floodLimits(
  config: Pick<Config, 'eventsPerSecond' | 'eventsBurst' | 'bytesPerSecond' | 'maxPayloadBytes'>,
): FloodLimits {
  const msPerEvent = 1000 / config.eventsPerSecond;
  const msPerByte = 1000 / config.bytesPerSecond;
  // The largest allowed packet must always pass when it comes alone.
  const bytes = Math.max(config.bytesPerSecond * BYTES_BURST_SECONDS, config.maxPayloadBytes);
  return {
    msPerEvent,
    eventsBurstMs: config.eventsBurst * msPerEvent,
    msPerByte,
    bytesBurstMs: bytes * msPerByte,
  };
}

/**
 * Takes one event; refused ones count too, else going on would cost nothing.
 * @param now ms of a clock that never steps back (`performance.now()`)
 */
export function takeEvent(meter: FloodMeter, limits: FloodLimits, now: number): FloodVerdict {
  meter.eventsPaidUntil = afterTaking(meter.eventsPaidUntil, limits.msPerEvent, now);
  return verdict(meter.eventsPaidUntil, limits.eventsBurstMs, now);
}

/** Takes the bytes of a packet, in the same way. */
export function takeBytes(
  meter: FloodMeter,
  limits: FloodLimits,
  bytes: number,
  now: number,
): FloodVerdict {
  const costMs = bytes * limits.msPerByte;
  meter.bytesPaidUntil = afterTaking(meter.bytesPaidUntil, costMs, now);
  return verdict(meter.bytesPaidUntil, limits.bytesBurstMs, now);
}

function verdict(paidUntil: number, burstMs: number, now: number): FloodVerdict {
  const overMs = overdraft(paidUntil, burstMs, now);
  if (overMs <= 0) return 'ok';
  return overMs > burstMs ? 'close' : overMs;
}
