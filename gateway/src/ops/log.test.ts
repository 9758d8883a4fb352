import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { repeated } from './log.js';

describe('a fault that repeats', () => {
  let lines: string[];
  const fault = (key = 'redis', text = 'away') =>
    repeated(key, 1000, (more) => lines.push(`${text} +${more}`));

  beforeEach(() => {
    vi.useFakeTimers();
    lines = [];
  });
  afterEach(() => {
    vi.runAllTimers();
    vi.useRealTimers();
  });

  it('is written at once, then counted per interval', () => {
    for (let i = 0; i < 100; i++) fault();
    expect(lines).toEqual(['away +0']);
    vi.advanceTimersByTime(1000);
    expect(lines).toEqual(['away +0', 'away +99']);
    fault();
    vi.advanceTimersByTime(1000);
    expect(lines).toEqual(['away +0', 'away +99', 'away +1']);
  });

  it('that happens once is written once, and forgotten', () => {
    fault();
    vi.advanceTimersByTime(1000);
    expect(lines).toEqual(['away +0']);
    expect(vi.getTimerCount()).toBe(0);
    fault();
    expect(lines).toEqual(['away +0', 'away +0']);
  });

  it('keeps each kind apart', () => {
    fault('redis');
    fault('admin', 'refused');
    expect(lines).toEqual(['away +0', 'refused +0']);
  });

  it('is written in its latest words', () => {
    fault('redis', 'refused');
    fault('redis', 'timeout');
    vi.advanceTimersByTime(1000);
    expect(lines).toEqual(['refused +0', 'timeout +1']);
  });
});
