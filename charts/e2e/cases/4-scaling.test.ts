import { afterAll, expect, test } from 'vitest';
import { eventually } from '../../../gateway/test/client.ts';
import { tokenOf } from '../../../gateway/test/tokens.ts';
import { Crowd, gaps } from '../kit/crowd.ts';
import { evidence } from '../kit/evidence.ts';
import { Gateway, PATIENCE_MS } from '../kit/gateway.ts';
import { run } from '../kit/programs.ts';

const show = evidence(4, 'Scaling 3 -> 5 -> 2: by sessions, by CPU, by hand');
/** Fast enough for a test; the defaults are slow on purpose. */
const behavior = { scaleDownStabilizationSeconds: 0, scaleDownPeriodSeconds: 15 };
const drain = { seconds: 5 };
const nothingLost = { lost: 0, doubled: 0, outOfOrder: 0, toldFalse: 0 };

const gateways: Gateway[] = [];
afterAll(() => Promise.all(gateways.map((gateway) => gateway.remove())));

async function install(...args: Parameters<typeof Gateway.install>): Promise<Gateway> {
  const gateway = await Gateway.install(...args);
  gateways.push(gateway);
  return gateway;
}

/** Lets it come down to 2 pods, each of the others by a drain. @returns that, for people */
async function cameDown(gateway: Gateway, comeDown: () => unknown): Promise<string> {
  const leaving = (await gateway.settled(5)).length - 2;
  const log = gateway.watchLog();
  await comeDown();
  await gateway.settled(2);
  const drained = await eventually(
    () => log.saying('"msg":"drained"'),
    (pods) => pods.size === leaving,
    30_000,
  );
  expect(log.saying('"msg":"drain begins"')).toEqual(drained);
  log.close();
  return `${drained.size} pods drained`;
}

const list = (sessions: ReadonlyMap<string, number>) => [...sessions.values()].join(', ');

test.concurrent('by sessions of a pod, a metric of the gateway', async () => {
  const gateway = await install('by-sessions', {
    drain,
    autoscaling: {
      enabled: true,
      metric: 'sessions',
      minReplicas: 2,
      maxReplicas: 5,
      sessionsPerPod: 45, // 30 are wanted
      targetEventLoopPercentage: 90,
      behavior,
    },
  });
  const crowd = await Crowd.gather(gateway, 50);
  crowd.write(50);
  await crowd.grow(40);
  await gateway.settled(3);
  await crowd.grow(60);
  await gateway.settled(5);
  const before = await gateway.sessions();
  const [fullest = '', most = 0] = [...before].sort(([, a], [, b]) => b - a)[0] ?? [];
  await gateway.admin(fullest, 'shed', { percent: 50, seconds: 3 });
  const after = await eventually(
    () => gateway.sessions(),
    (sessions) => (sessions.get(fullest) ?? 0) < most && sum(sessions) === 150,
    PATIENCE_MS,
  );
  const drains = await cameDown(gateway, () => crowd.shrink(50));
  const story = await crowd.end();
  show(
    `by sessions: 90 clients on 3 pods, 150 on 5 (${list(before)}), after shedding half of the fullest (${list(after)})`,
  );
  show(`by sessions: 50 clients left, 2 pods; ${drains}; ${story.returns} returns; ${gaps(story)}`);
  expect(story).toMatchObject(nothingLost);
});

test.concurrent('by CPU', async () => {
  const autoscaling = {
    enabled: true,
    metric: 'cpu',
    minReplicas: 3,
    maxReplicas: 5,
    targetCPUUtilizationPercentage: 60,
    behavior,
  };
  const gateway = await install('by-cpu', {
    drain,
    autoscaling,
    // Two pods carry the crowd with much to spare: 50m for a pod with all of it, 8m for one with nobody.
    resources: { requests: { cpu: '100m', memory: '96Mi' } },
  });
  await gateway.settled(3);
  await gateway.answers();
  const crowd = await Crowd.gather(gateway, 50);
  crowd.write(25);
  const load = await Load.start(gateway.url);
  await gateway.settled(5);
  let requests = 0;
  const drains = await cameDown(gateway, async () => {
    requests = await load.stop();
    await gateway.upgrade({ autoscaling: { ...autoscaling, minReplicas: 2 } });
  });
  const story = await crowd.end();
  show(
    `by CPU: 3 pods, 5 under ${requests} requests, 2 after them; ${drains}; ${story.returns} returns; ${gaps(story)}`,
  );
  expect(story).toMatchObject(nothingLost);
});

test.concurrent('by hand', async () => {
  const gateway = await install('by-hand', { drain });
  const crowd = await Crowd.gather(gateway, 50);
  crowd.write(50);
  const scale = (count: number) =>
    run('kubectl', [
      ...['-n', gateway.namespace, 'scale', 'deployment/streamgate', `--replicas=${count}`],
    ]);
  await scale(5);
  await gateway.settled(5);
  const drains = await cameDown(gateway, () => scale(2));
  const story = await crowd.end();
  show(`by hand: 3 pods, 5, 2; ${drains}; ${story.returns} returns; ${gaps(story)}`);
  expect(story).toMatchObject(nothingLost);
});

function sum(sessions: ReadonlyMap<string, number>): number {
  return [...sessions.values()].reduce((all, each) => all + each, 0);
}

/** Requests, a few at a time, for as long as it runs. */
class Load {
  private done = 0;
  private running = true;
  private readonly loops: Promise<void>[];

  private constructor(url: string, token: string) {
    this.loops = Array.from({ length: 8 }, () => this.loop(url, token));
  }

  static async start(url: string): Promise<Load> {
    return new Load(`${url}/websocket/active-users`, await tokenOf({ id: 'load' }));
  }

  /** @returns how many were answered */
  async stop(): Promise<number> {
    this.running = false;
    await Promise.all(this.loops);
    return this.done;
  }

  private async loop(url: string, token: string): Promise<void> {
    while (this.running) {
      const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
      await answer.arrayBuffer();
      this.done++;
    }
  }
}
