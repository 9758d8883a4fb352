import { expect, test } from 'vitest';
import { search } from './capacity.ts';
import type { Outcome, Verdict } from './measured.ts';

const gives = (verdictOf: (sessions: number) => Verdict) =>
  search({ first: 100, most: 100_000, tries: 9 }, (sessions) =>
    Promise.resolve({ sessions, verdict: verdictOf(sessions) } as Outcome),
  );

test('what a node carries is found between two sizes', async () => {
  const found = await gives((sessions) => (sessions <= 1700 ? 'passed' : 'failed'));
  expect(found.sessions).toBeGreaterThan(1400);
  expect(found.sessions).toBeLessThanOrEqual(1700);
  expect(found.limitedBy).toBe('gateway');
});

test('a run that says nothing of the gateway ends it as a bound', async () => {
  const found = await gives((sessions) => (sessions <= 800 ? 'passed' : 'invalid'));
  expect(found.limitedBy).toBe('load generator');
  expect(found.sessions).toBeGreaterThanOrEqual(800);
});

test('a node that carries nothing ends it too', async () => {
  expect(await gives(() => 'failed')).toMatchObject({ sessions: 0, limitedBy: 'gateway' });
});
