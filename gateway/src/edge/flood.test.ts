import { expect, test } from 'vitest';
import { type FloodVerdict, floodLimits, takeBytes, takeEvent } from './flood.js';

const limits = floodLimits({
  eventsPerSecond: 50,
  eventsBurst: 200,
  bytesPerSecond: 1000,
  maxPayloadBytes: 10_000,
});
const START = 1_700_000_000_000;
const meter = () => ({ eventsPaidUntil: 0, bytesPaidUntil: 0 });
const count = (verdicts: FloodVerdict[]) => ({
  ok: verdicts.filter((verdict) => verdict === 'ok').length,
  told: verdicts.filter((verdict) => typeof verdict === 'number').length,
  close: verdicts.filter((verdict) => verdict === 'close').length,
});

test('a burst passes, another one is told to wait, then the session is closed', () => {
  const session = meter();
  const verdicts = Array.from({ length: 500 }, () => takeEvent(session, limits, START));
  expect(count(verdicts)).toEqual({ ok: 200, told: 200, close: 100 });
  expect(verdicts[200]).toBe(20);
});

test('who waits as told passes again', () => {
  const session = meter();
  for (let i = 0; i < 250; i++) takeEvent(session, limits, START);
  const wait = takeEvent(session, limits, START);
  expect(wait).toBe(51 * 20);
  expect(takeEvent(session, limits, START + Number(wait) + 20)).toBe('ok');
});

test('the rate itself is never refused', () => {
  const session = meter();
  const verdicts = Array.from({ length: 5000 }, (_, i) =>
    takeEvent(session, limits, START + i * 20),
  );
  expect(count(verdicts).ok).toBe(5000);
});

test('a little too much for long is told, and closed when it never stops', () => {
  const session = meter();
  const verdicts = Array.from({ length: 6000 }, (_, i) =>
    takeEvent(session, limits, START + i * 15),
  );
  expect(verdicts.findIndex((verdict) => typeof verdict === 'number')).toBeGreaterThan(200);
  expect(verdicts.at(-1)).toBe('close');
});

test('a quiet time saves up one burst and no more', () => {
  const session = meter();
  takeEvent(session, limits, START);
  const later = START + 3_600_000;
  const verdicts = Array.from({ length: 300 }, () => takeEvent(session, limits, later));
  expect(count(verdicts)).toEqual({ ok: 200, told: 100, close: 0 });
});

test('bytes have a bucket of their own, which holds the largest packet', () => {
  const session = meter();
  expect(takeBytes(session, limits, 10_000, START)).toBe('ok');
  expect(takeBytes(session, limits, 1000, START)).toBe(1000);
  expect(takeBytes(session, limits, 10_000, START)).toBe('close');
  expect(takeEvent(session, limits, START)).toBe('ok');
});
