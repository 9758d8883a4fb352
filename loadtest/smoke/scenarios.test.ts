import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Outcome } from '../run/measured.ts';
import { PLANS } from '../run/plans.ts';
import { run } from '../run/run.ts';
import { Stage } from '../run/stage.ts';
import { type Fault, Planted } from './planted.ts';

/** Nothing here says how fast a gateway is: the machine may be busy with other tests. */
const SPEED = /^load_(delivery|connect|back) /;
const dir = mkdtempSync(join(tmpdir(), 'streamgate-load-'));
const planted = new Planted();
let stage: Stage;

beforeAll(async () => {
  const env = Object.assign({}, ...PLANS.map((plan) => plan.env?.(plan.smoke))) as Record<
    string,
    string
  >;
  stage = await Stage.start({
    candidate: 'streamgate',
    nodes: 3,
    env,
    chat: PLANS.some(({ needsChat }) => needsChat),
    log: join(dir, 'nodes.log'),
    newWay: planted.newWay,
  });
});
afterAll(async () => {
  await stage.stop();
  rmSync(dir, { recursive: true });
});

describe('a scenario runs, and what comes is right', () => {
  test.for(PLANS)('$name', async (plan) => {
    const outcome = await smoke(plan.name);
    expect(unmet(outcome).filter((name) => !SPEED.test(name))).toEqual([]);
    expect(outcome.figures.length).toBeGreaterThan(0);
  });
});

describe('it fails on a gateway with a fault', () => {
  const faults: readonly (readonly [scenario: string, fault: Fault, check: string])[] = [
    ['hold', 'slow', 'load_connect p(99)<1000'],
    ['unicast', 'drops', 'load_lost count==0'],
    ['unicast', 'doubles', 'load_doubled count==0'],
    ['unicast', 'reorders', 'load_out_of_order count==0'],
    ['unicast', 'slow', 'load_delivery p(99)<250'],
  ];
  test.for(faults)('%s: it %s', async ([scenario, fault, check]) => {
    planted.fault = fault;
    try {
      expect(unmet(await smoke(scenario))).toContain(check);
    } finally {
      planted.fault = undefined;
    }
  });
});

function smoke(scenario: string): Promise<Outcome> {
  const plan = PLANS.find(({ name }) => name === scenario)!;
  const env = { SETTLE: '4' };
  return run({
    plan,
    size: plan.smoke,
    stage,
    dir: join(dir, scenario),
    say: () => undefined,
    env,
  });
}

function unmet({ checks }: Outcome): string[] {
  return checks.filter(({ isMet }) => !isMet).map(({ name }) => name);
}
