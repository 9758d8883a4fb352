import { ROOT_CONTEXT } from '@opentelemetry/api';
import { afterEach, expect, it } from 'vitest';
import { tracing } from './tracing.js';

afterEach(() => {
  tracing.on = false;
  tracing.share = undefined;
});

const parentOf = (flags: string) => ({
  traceparent: `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-${flags}`,
});

/** How many of 20,000 were said yes to. */
const yes = (ask: () => boolean) => Array.from({ length: 20_000 }, ask).filter(Boolean).length;

it('wants nothing while it is off, and leaves all to an SDK without a share', () => {
  expect(tracing.wants(parentOf('01'))).toBe(false);
  tracing.on = true;
  expect(tracing.wants(parentOf('00'))).toBe(true);
});

it('wants what its parent wants, and a share of what begins here or says nonsense', () => {
  tracing.on = true;
  tracing.share = 0.1;
  expect(yes(() => tracing.wants(parentOf('01')))).toBe(20_000);
  expect(yes(() => tracing.wants(parentOf('00')))).toBe(0);
  for (const header of [undefined, {}, { traceparent: 'nonsense' }]) {
    const wanted = yes(() => tracing.wants(header));
    expect(wanted).toBeGreaterThan(1600);
    expect(wanted).toBeLessThan(2400);
  }
});

it('draws for spans that others begin', () => {
  const sampler = tracing.sampler(0.1);
  const wanted = yes(() => sampler.shouldSample(ROOT_CONTEXT).decision === 2);
  expect(wanted).toBeGreaterThan(1600);
  expect(wanted).toBeLessThan(2400);
});
