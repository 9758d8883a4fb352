import { describe, expect, test } from 'vitest';
import { judge } from './judge.ts';
import { readSummary } from './k6.ts';
import type { Measured } from './measured.ts';
import type { Plan } from './plan.ts';
import { PLANS } from './plans.ts';
import { readSettings } from './settings.ts';
import { invalidity } from './validity.ts';

const idle: Measured = {
  candidate: 'streamgate',
  sessions: 10,
  seconds: 10,
  rates: [10],
  metrics: {},
  samples: [],
  loadEnds: 10,
  facts: {},
};
const sample = { second: 1, nodes: [], redis: undefined, machine: 0.5, others: 0.02 };
const k6 = { cpu: 0.1, rssBytes: 0 };

describe('a run says nothing about the gateway', () => {
  const runs: readonly (readonly [because: string, run: Partial<Measured>, reason: RegExp])[] = [
    ['k6 is late', { metrics: { load_client_delay: { 'p(99)': 51 } } }, /timers of k6 were 51 ms/],
    [
      'k6 leaves something out',
      { metrics: { dropped_iterations: { count: 1 } } },
      /did not begin 1/,
    ],
    ['k6 mislays handshakes', { metrics: { socketio_handshakes_lost: { count: 1 } } }, /mislaid 1/],
    ['the writer is late', { facts: { 'writer lag p99, ms': 51 } }, /writer was 51 ms/],
    ['k6 takes the machine', { samples: [{ ...sample, k6: { ...k6, cpu: 100 } }] }, /k6 took/],
    ['others take the machine', { samples: [{ ...sample, k6, others: 0.2 }] }, /others took 20 %/],
    [
      'the machine is full at one of the rates',
      {
        rates: [1, 2],
        samples: [
          { ...sample, k6 },
          { ...sample, k6, second: 7, machine: 0.98 },
        ],
      },
      /was busy \(98 %\)/,
    ],
    [
      'the machine is full, but not while k6 ends',
      {
        samples: [
          { ...sample, k6, machine: 0.98 },
          { ...sample, k6, machine: 0, second: 11 },
          { ...sample, k6, machine: 0, second: 0.4 },
        ],
      },
      /was busy \(98 %\)/,
    ],
    ['the machine is full', { samples: [{ ...sample, k6, machine: 0.98 }] }, /was busy \(98 %\)/],
  ];
  test.for(runs)('when %s', ([, run, reason]) => {
    expect(invalidity({ ...idle, ...run })).toEqual([expect.stringMatching(reason)]);
  });

  test('when k6 is late at the rate that ends a ramp of connects, but not when it is beyond that', () => {
    const step = (p99: number, late: number, nth: number) => ({
      [`load_connect{step:${nth}}`]: { 'p(99)': p99, count: 1000 },
      [`load_client_delay{step:${nth}}`]: { 'p(99)': late },
    });
    const ramp = (...steps: ReturnType<typeof step>[]): Measured => ({
      ...{ ...idle, rates: [10, 20, 40] },
      metrics: Object.assign({}, ...steps) as Measured['metrics'],
    });
    const plan = planOf('connect-ramp');
    const late = ramp(step(9, 1, 0), step(90, 60, 1), step(900, 90, 2));
    expect(invalidity(late, plan)).toEqual([expect.stringMatching(/timers of k6 were 60 ms/)]);
    expect(judge(plan, late, []).figures[0]?.value).toBe(10);
    const slow = ramp(step(9, 1, 0), step(900, 4, 1), step(2000, 90, 2));
    expect(invalidity(slow, plan)).toEqual([]);
  });

  test('when nobody came onto the gateway that ours is compared with', () => {
    const metrics = { load_connect: { count: 0 } };
    const reason = 'nobody came onto the stock gateway';
    expect(invalidity({ ...idle, candidate: 'stock', metrics })).toEqual([reason]);
    expect(invalidity({ ...idle, metrics })).toEqual([]);
  });

  test('but not while all keep up, or the writer waits for a Redis that was taken away', () => {
    expect(invalidity({ ...idle, samples: [{ ...sample, k6 }] })).toEqual([]);
    const late = { ...idle, facts: { 'writer lag p99, ms': 900 } };
    expect(invalidity(late, { takesRedis: true })).toEqual([]);
  });
});

describe('a run fails', () => {
  const seen = { load_people: { count: 10 }, load_sent: { count: 5 } };
  const runs: readonly (readonly [
    because: string,
    scenario: string,
    metrics: Measured['metrics'],
  ])[] = [
    ['k6 did nothing', 'unicast', {}],
    ['half of the people vanished', 'room', { ...seen, load_people: { count: 5 } }],
    ['nobody was there', 'hold', {}],
    ['nothing was sent', 'chat', { ...seen, load_sent: { count: 0 } }],
  ];
  test.for(runs)('when %s', ([, scenario, metrics]) => {
    expect(judge(planOf(scenario), { ...idle, metrics }, []).verdict).toBe('failed');
  });

  test('but not when all people are accounted for and were sent something', () => {
    expect(judge(planOf('unicast'), { ...idle, metrics: seen }, []).verdict).toBe('passed');
    const silent = { load_people: { count: 10 } };
    expect(judge(planOf('hold'), { ...idle, metrics: silent }, []).verdict).toBe('passed');
  });
});

describe('a check is not met when what it asks for was not seen', () => {
  const unseen: readonly (readonly [scenario: string, check: RegExp])[] = [
    ['jitter', /connected within 8 s/],
    ['jitter', /connections that were lost/],
    ['avalanche', /connections that were lost/],
    ['avalanche', /nodes that failed to stop/],
    ['node-death', /connections that were lost/],
    ['redis-restart', /lost Redis/],
    ['slow-and-flood', /read nothing/],
    ['capacity', /event loop/],
  ];
  test.for(unseen)('%s: %s', ([scenario, check]) => {
    const { checks } = judge(planOf(scenario), idle, []);
    expect(checks.find(({ name }) => check.test(name))).toMatchObject({ isMet: false });
  });

  test('the loop of a node is that of the load, not of the end of k6', () => {
    const at = (second: number, loopSeconds: number) => ({
      ...{ ...sample, k6, second },
      nodes: [{ number: 1, cpu: 0, rssBytes: 0, own: { loopSeconds } }],
    });
    const busy = { ...idle, samples: [at(1, 0), at(9, 7.2), at(13, 7.2)] };
    const { checks } = judge(planOf('capacity'), busy, []);
    expect(checks.find(({ name }) => /event loop/.test(name))?.seen).toBe('90 %');
  });

  test('of a deployment elsewhere nobody asks how its nodes ended, and of a short soak how memory grew', () => {
    const { checks } = judge(planOf('avalanche'), { ...idle, candidate: 'target' }, []);
    expect(checks.map(({ name }) => name).join()).not.toMatch(/killed/);
    expect(
      judge(planOf('soak'), idle, [])
        .checks.map(({ name }) => name)
        .join(),
    ).not.toMatch(/memory/);
  });
});

test('thresholds of k6 become checks; those that only tell tags apart do not', () => {
  const { checks } = readSummary(
    JSON.stringify({
      metrics: {
        load_lost: { count: 2, rate: 1, thresholds: { 'count==0': true } },
        load_recovered: { passes: 9, fails: 0, value: 1, thresholds: { 'rate>0.99': false } },
        'load_delivery{step:0}': { 'p(99)': 4, thresholds: { 'p(99)>=0': false } },
      },
    }),
  );
  expect(checks).toEqual([
    { name: 'load_lost count==0', isMet: false, seen: '2' },
    { name: 'load_recovered rate>0.99', isMet: true, seen: '1' },
  ]);
});

describe('settings', () => {
  const wrong: readonly (readonly [env: NodeJS.ProcessEnv, message: RegExp])[] = [
    [{}, /SCENARIO is missing/],
    [{ SCENARIO: 'unicat' }, /no scenario unicat/],
    [{ SCENARIO: 'unicast', NODES: '0' }, /NODES is a number from 1 on/],
    [{ SCENARIO: 'unicast', RATE: '100,fast' }, /RATE is events a second/],
    [{ SCENARIO: 'unicast', COMPARE: 'ws' }, /COMPARE can be stock only/],
    [{ SCENARIO: 'chat', COMPARE: 'stock' }, /stock gateway cannot do chat/],
    [{ SCENARIO: 'unicast', COMPARE: 'stock', TARGET: 'https://a.b' }, /without TARGET/],
  ];
  test.for(wrong)('%j is refused', ([env, message]) => {
    expect(() => readSettings(env)).toThrow(message);
  });

  test('what is given replaces what a scenario has', () => {
    const { plans, sizeOf } = readSettings({ SCENARIO: 'unicast', SESSIONS: '7', RATE: '5,6' });
    expect(sizeOf(plans[0]!)).toMatchObject({ sessions: 7, rates: [5, 6] });
  });
});

function planOf(scenario: string): Plan {
  return PLANS.find(({ name }) => name === scenario)!;
}
