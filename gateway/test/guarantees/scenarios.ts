import { pause } from './member.ts';
import type { Running } from './run.ts';

/** A run of one writer with something that goes wrong meanwhile. */
export interface Scenario {
  name: string;
  nodes: number;
  /** At the beginning. */
  partitions: number;
  run(world: Running): Promise<void>;
}

/** Sessions that lose their transports in the course of every run. */
const LOSSES = 40;

export const SCENARIOS: readonly Scenario[] = [
  { name: 'nothing goes wrong', nodes: 3, partitions: 1, run: comeAndGo },
  {
    name: 'the executing node killed three times',
    nodes: 3,
    partitions: 1,
    run: (world) => during(world, () => atThirds(world, () => killExecuting(world))),
  },
  {
    name: 'the executing node stopped for 8 s and continued',
    nodes: 3,
    partitions: 1,
    run: (world) =>
      during(world, async () => {
        await reached(world, 0.3);
        const victim = await world.executing();
        world.pauseNode(victim);
        await pause(8000);
        world.resumeNode(victim);
      }),
  },
  {
    name: 'Redis killed and restarted from its file',
    nodes: 3,
    partitions: 1,
    run: (world) =>
      during(world, async () => {
        await reached(world, 0.4);
        await world.redis.restart();
      }),
  },
  {
    name: 'four partitions, nodes killed',
    nodes: 3,
    partitions: 4,
    run: (world) => during(world, () => atThirds(world, () => killExecuting(world))),
  },
  {
    name: 'partitions changed from 1 to 4 to 2',
    nodes: 3,
    partitions: 1,
    run: (world) =>
      during(world, async () => {
        await reached(world, 0.25);
        await roll(world, 4);
        await reached(world, 0.6);
        await roll(world, 2);
      }),
  },
];

async function killExecuting(world: Running): Promise<void> {
  const victim = await world.executing();
  await victim.kill();
  await world.startNode();
}

async function atThirds(world: Running, act: () => Promise<void>): Promise<void> {
  for (const share of [0.15, 0.45, 0.75]) {
    await reached(world, share);
    await act();
  }
}

/** As a rolling update does: new nodes first, with the new setting; then the old ones end by SIGTERM. */
async function roll(world: Running, partitions: number): Promise<void> {
  const old = world.living();
  world.partitions = partitions;
  for (const node of old) {
    await world.startNode();
    await node.stop();
  }
}

async function during(world: Running, act: () => Promise<void>): Promise<void> {
  await Promise.all([comeAndGo(world), act()]);
}

async function comeAndGo(world: Running): Promise<void> {
  for (let nth = 1; nth <= LOSSES; nth++) {
    await reached(world, nth / (LOSSES + 2));
    const connected = world.members.filter((member) => member.connected);
    connected[Math.floor(world.random() * connected.length)]?.lose();
  }
}

async function reached(world: Running, share: number): Promise<void> {
  while (world.progress < share) await pause(20);
}
