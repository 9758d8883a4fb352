import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Outcome } from '../run/measured.ts';
import { rollingDeploy } from '../run/dramas.ts';
import type { Plan } from '../run/plan.ts';
import { PLANS } from '../run/plans.ts';
import { run } from '../run/run.ts';
import { Stage } from '../run/stage.ts';
import { type Fault, Planted } from './planted.ts';

/** Nothing here says how fast a gateway is: the machine may be busy with other tests. */
const SPEED =
  /^(load_(delivery|connect|back)\b.* p\(|delivery|the event loop|connected within|the lowest rate)/;
const dir = mkdtempSync(join(tmpdir(), 'streamgate-load-'));
/** What is missing is not waited for long, and nothing is weighed. */
const FAULTY: Partial<Plan> = { settleSeconds: 2, weighs: false };
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
  await stage?.stop();
  rmSync(dir, { recursive: true });
});

describe('a scenario runs, and what comes is right', () => {
  test.for(PLANS)('$name', async (plan) => {
    const outcome = await smoke(plan.name, stage);
    expect(unmet(outcome).filter((name) => !SPEED.test(name))).toEqual([]);
    expect(outcome.figures.length).toBeGreaterThan(0);
  });
});

test('a database with its sessions belongs to the run, nodes and Redis are watched apart', () => {
  const { nodes, redis } = stage.cluster!;
  const pids = stage.pids();
  expect(pids.length).toBeGreaterThan(1);
  for (const { pid } of [...nodes.map(({ process: node }) => node), redis!])
    expect(pids).not.toContain(pid);
});

test('of a deployment that runs already k6 asks over REST', async () => {
  const [url = ''] = stage.urls(true);
  const { connects } = stage.balancer!;
  const before = connects.length;
  let connected = 0;
  const drama = () => Promise.resolve(void (connected = connects.length - before));
  const outcome = await smoke('unicast', Stage.of(url, stage.secret), { drama });
  expect(connected, 'when something is to go wrong').toBeGreaterThanOrEqual(30);
  expect(unmet(outcome).filter((name) => !SPEED.test(name))).toEqual([]);
  expect(outcome.metrics['load_received']?.['count']).toBe(300);
});

describe('it fails on a gateway that', () => {
  const faults: readonly (readonly [fault: Fault, scenario: string, ...checks: string[]])[] = [
    ['is slow', 'connect-ramp', 'load_connect{step:0} p(99)<500'],
    ['is slow', 'hold', 'load_connect p(99)<1000'],
    ['drops', 'unicast', 'load_lost count==0'],
    ['corrupts', 'unicast', 'load_unaccounted count==0', 'every person is accounted for'],
    ['reorders', 'room', 'load_out_of_order count==0'],
    ['doubles', 'chat', 'load_doubled count==0'],
    ['drops', 'jitter', 'load_lost count==0'],
    ['reorders', 'node-death', 'load_out_of_order count==0'],
    ['doubles', 'redis-restart', 'load_doubled count==0'],
    ['tires', 'soak', 'delivery (99 %) is the same: the last part'],
    ['tires', 'slow-and-flood', 'delivery (99 %) is the same: beside bad neighbours'],
    ['is slow', 'capacity', 'load_delivery p(99)<250'],
  ];
  test.for(faults)('%s: %s', async ([fault, scenario, ...checks]) => {
    planted.plant(fault);
    try {
      expect(unmet(await smoke(scenario, stage, FAULTY))).toEqual(expect.arrayContaining(checks));
    } finally {
      planted.plant();
    }
  });

  test('drains slowly: avalanche', async () => {
    const slow = await Stage.start({
      candidate: 'streamgate',
      nodes: 1,
      env: { STREAMGATE_DRAIN_SECONDS: '60' },
      log: join(dir, 'slow.log'),
    });
    try {
      const drama = rollingDeploy(1000, 2000);
      const outcome = await smoke('avalanche', slow, { ...FAULTY, drama });
      expect(unmet(outcome)).toContain('no nodes that had to be killed');
    } finally {
      await slow.stop();
    }
  });
});

/** @param other than its plan has it */
function smoke(scenario: string, on: Stage, other: Partial<Plan> = {}): Promise<Outcome> {
  const plan = { ...PLANS.find(({ name }) => name === scenario)!, ...other };
  const where = { stage: on, dir: join(dir, scenario) };
  return run({ plan, size: plan.smoke, ...where, say: () => undefined });
}

function unmet({ checks }: Outcome): string[] {
  return checks.filter(({ isMet }) => !isMet).map(({ name }) => name);
}
