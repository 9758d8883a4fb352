import type { NodeProcess } from './process.ts';
import type { Running } from './run.ts';
import { pause } from './session.ts';

/** A kind of fault, with sessions coming and going all the while. */
export interface Phase {
  name: string;
  run(world: Running): Promise<void>;
}

/** @param quick fewer of each and shorter */
export function phases(quick: boolean): Phase[] {
  const returns = (full: number) => (quick ? Math.ceil(full / 10) : full);
  return [
    {
      name: 'sessions come and go',
      run: (world) => comeAndGo(world, returns(400), quick ? 4000 : 40_000),
    },
    {
      name: quick ? 'three nodes killed' : 'ten nodes killed',
      run: (world) =>
        during(comeAndGo(world, returns(200), quick ? 6000 : 40_000), async () => {
          for (let count = 0; count < (quick ? 3 : 10); count++) {
            const victim = anyOf(world, world.nodes());
            await victim.kill();
            await pause(1000);
            world.write(await world.startNode());
            await world.waitUntil(
              'few are back',
              () => world.sessions.filter(({ connected }) => connected).length > 40,
              30_000,
            );
            await pause(1000);
          }
        }),
    },
    {
      name: 'a node stopped past its lease',
      run: (world) =>
        during(comeAndGo(world, returns(150), quick ? 6000 : 20_000), () => stop(world, 5000)),
    },
    ...(quick
      ? []
      : [
          {
            name: 'a node stopped past the recovery window',
            run: (world: Running) =>
              during(comeAndGo(world, returns(150), 40_000), () => stop(world, 30_000)),
          },
        ]),
    {
      name: 'Redis killed and restarted from its file',
      run: (world) =>
        during(comeAndGo(world, returns(100), quick ? 4000 : 15_000), async () => {
          await pause(1000);
          await world.redis.restart();
        }),
    },
    {
      name: quick ? 'Redis paused for 3 s' : 'Redis paused for 10 s',
      run: (world) =>
        during(comeAndGo(world, returns(100), quick ? 6000 : 20_000), async () => {
          await pause(1000);
          world.redis.pause();
          await pause(quick ? 3000 : 10_000);
          world.redis.resume();
        }),
    },
    {
      name: 'and again nothing but coming and going',
      run: (world) => comeAndGo(world, returns(100), quick ? 3000 : 10_000),
    },
  ];
}

/** Sessions lose their transports evenly over that time. */
async function comeAndGo(world: Running, count: number, ms: number): Promise<void> {
  for (let nth = 0; nth < count; nth++) {
    const connected = world.sessions.filter((session) => session.connected);
    connected[Math.floor(world.random() * connected.length)]?.lose();
    await pause(ms / count);
  }
}

async function stop(world: Running, ms: number): Promise<void> {
  const victim = anyOf(world, world.nodes());
  victim.stop();
  // Whoever has noticed goes elsewhere; the others wait for it.
  const there = world.sessions.filter(({ node }) => node === victim);
  for (const session of there.slice(0, there.length / 2)) session.lose();
  await pause(ms);
  victim.continue();
  await pause(2000);
}

async function during(background: Promise<void>, fault: () => Promise<void>): Promise<void> {
  await Promise.all([background, fault()]);
}

function anyOf(world: Running, nodes: NodeProcess[]): NodeProcess {
  return nodes[Math.floor(world.random() * nodes.length)]!;
}
