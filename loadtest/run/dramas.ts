import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning, type Cluster, type RunningNode } from '../../tools/cluster-parts.ts';
import { BadNeighbours } from './bad-neighbours.ts';
import type { Outage } from './balancer.ts';
import type { Scene } from './plan.ts';
import { scrape } from './samples.ts';
import { tokenFor } from './token.ts';

/** Beyond its drain a node gets so long, as Kubernetes gives it, and is killed then. */
const GRACE_MS = 15_000;
const DOWN_MS = 3000;
/** Longer than a client waits at most before it tries again. */
const RETURN_MS = 10_000;
const REDIS_DOWN_MS = 2000;
/** Somebody's users are gone from the lists that long after their node: by the guarantees 15 s, and a look. */
const GHOSTS_MS = 20_000;
const OUTAGES: readonly Outage[] = ['noticed', 'held', 'half-open', 'reset'];

/** People's networks go, for 0.5 s to `most` ms, of each about once. */
export function outages(most: number) {
  return async ({ stage, size, at, facts }: Scene): Promise<void> => {
    const { balancer } = stage;
    if (!balancer)
      throw new Error('The network to a deployment elsewhere is not ours to take away');
    const { sessions } = size;
    // The last one ends with the load.
    const during = size.seconds * 1000 - most;
    for (let nth = 0; nth < sessions; nth++) {
      await sleep(at + (during * nth) / sessions - Date.now());
      const person = (nth * 7919) % sessions;
      balancer.outage(`p${person}`, 500 + Math.random() * (most - 500), OUTAGES[nth % 4]!);
    }
    facts['outages'] = sessions;
    await sleep(most);
    // The last to come back wait the longest: without them all would look faster.
    const late = performance.now() + RETURN_MS;
    while (balancer.missing > 0 && performance.now() < late) await sleep(50);
    facts['people without a connection'] = balancer.missing;
    const sorted = balancer.returns.toSorted((a, b) => a - b);
    const share = (part: number) => sorted[Math.floor(part * (sorted.length - 1))];
    for (const [name, part] of Object.entries({ median: 0.5, '95 %': 0.95, longest: 1 })) {
      const value = share(part);
      if (value !== undefined) facts[`Connected after the network is back, ${name}`] = value;
    }
  };
}

/** Each node is replaced as by a rolling update: a new one first, then the old one is asked to end. @param drainMs what it has for that, and @param graceMs until it is killed */
export function rollingDeploy(drainMs: number, graceMs = GRACE_MS) {
  return async ({ stage, size, at, facts, say }: Scene): Promise<void> => {
    const { cluster, balancer } = stage;
    if (!cluster || !balancer) return asked('Start the rolling update now', size.seconds, say);
    const began = performance.now();
    facts['nodes killed'] = 0;
    facts['nodes that failed to stop'] = 0;
    for (const { number } of [...cluster.nodes]) {
      const old = await cluster.replace(number);
      balancer.targets = cluster.nodes.map(({ url }) => url);
      old.process.kill('SIGTERM');
      if (!(await endsWithin(old, drainMs + graceMs))) {
        old.process.kill('SIGKILL');
        facts['nodes killed']++;
      } else if (stage.candidate === 'streamgate' && old.process.exitCode !== 0)
        facts['nodes that failed to stop']++;
    }
    facts['deploy, s'] = (performance.now() - began) / 1000;
    facts['most connects in a second'] = balancer.peak(at);
  };
}

/** Kills the second node, starts it again, and waits until nobody is said to be there who is not. */
export async function nodeDeath({ stage, size, at, facts, say }: Scene): Promise<void> {
  const { cluster, balancer } = stage;
  if (!cluster || !balancer) return asked('Kill a node now', size.seconds, say);
  await sleep((size.seconds * 1000) / 4);
  const victim = cluster.nodes[1] ?? cluster.nodes[0]!;
  const living = cluster.nodes.filter((node) => node !== victim);
  balancer.targets = living.map(({ url }) => url);
  victim.process.kill('SIGKILL');
  const killed = performance.now();
  const restarted = sleep(DOWN_MS).then(() => cluster.restart(victim.number));
  if (stage.candidate === 'streamgate') {
    facts['ghosts'] = await ghosts(cluster, stage.secret);
    // It may be asked before anybody noticed: they count when nobody is missing any more.
    while (performance.now() - killed < GHOSTS_MS) {
      facts['ghosts'] = await ghosts(cluster, stage.secret);
      if (facts['ghosts'] === 0 && performance.now() - killed > DOWN_MS) break;
      await sleep(250);
    }
    facts['ghosts gone after, s'] = (performance.now() - killed) / 1000;
  }
  await restarted;
  balancer.targets = cluster.nodes.map(({ url }) => url);
  facts['most connects in a second'] = balancer.peak(at);
}

/** Kills Redis and starts it again with its data; sees to it that every node has lost it, and has it again. */
export async function redisRestart({ stage, size, facts, say }: Scene): Promise<void> {
  const { cluster } = stage;
  if (!cluster) return asked('Restart Redis now', size.seconds, say);
  await sleep((size.seconds * 1000) / 3);
  const before = await reconnects(cluster);
  await cluster.killRedis();
  await sleep(REDIS_DOWN_MS);
  cluster.restartRedis();
  if (stage.candidate !== 'streamgate') return;
  const late = performance.now() + RETURN_MS;
  do {
    await sleep(250);
    const after = await reconnects(cluster);
    facts['nodes that kept Redis'] = after.filter((its, nth) => its <= before[nth]!).length;
  } while (facts['nodes that kept Redis'] > 0 && performance.now() < late);
}

/** How often each node has come back to Redis; 0 of a gateway that does not say. */
function reconnects({ nodes }: Cluster): Promise<number[]> {
  return Promise.all(
    nodes.map(
      async ({ managementUrl }) =>
        (await scrape(`${managementUrl}/metrics`))['redisReconnects'] ?? 0,
    ),
  );
}

/** In the second half of the load there are people who read nothing, and people who flood. */
export async function badNeighbours({ stage, size, run, at, facts, ours }: Scene): Promise<void> {
  const { cluster } = stage;
  if (!cluster) throw new Error('Bad neighbours are not put on a deployment elsewhere');
  await sleep(at + (size.seconds * 1000) / 2 - Date.now());
  const bad = BadNeighbours.start({
    urls: cluster.nodes.map(({ url }) => url),
    redisUrl: cluster.redisUrl,
    secret: stage.secret,
    run,
    each: Math.max(2, Math.ceil(size.sessions / 20)),
  });
  ours.push(bad.pid);
  await sleep(at + size.seconds * 1000 - Date.now());
  Object.assign(facts, await bad.end());
  const each = await Promise.all(
    cluster.nodes.map(({ managementUrl }) => scrape(`${managementUrl}/metrics`)),
  );
  facts['slow readers closed'] = each.reduce((sum, own) => sum + (own['slowConsumers'] ?? 0), 0);
}

/** Users who are listed beyond the sessions that nodes have; none without a session of their own. */
async function ghosts({ nodes }: Cluster, secret: string): Promise<number> {
  const token = await tokenFor(secret, 'load-observer', ['service']);
  const [first] = nodes.filter(({ process }) => isRunning(process));
  const answer = await fetch(`${first!.url}/api/gateway/connected?limit=1`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const { count } = (await answer.json()) as { count: number };
  const each = await Promise.all(
    nodes.map(({ managementUrl }) => scrape(`${managementUrl}/metrics`)),
  );
  const sessions = each.reduce((sum, { sessions: its = 0 }) => sum + its, 0);
  return Math.max(0, count - sessions);
}

async function endsWithin({ process }: RunningNode, ms: number): Promise<boolean> {
  const patience = new AbortController();
  const ended = isRunning(process) ? once(process, 'exit') : Promise.resolve();
  const late = sleep(ms, false, { signal: patience.signal }).catch(() => false);
  const isEnded = await Promise.race([ended.then(() => true), late]);
  patience.abort();
  return isEnded;
}

/** Of a deployment elsewhere somebody else does it. */
function asked(what: string, seconds: number, say: (line: string) => void): void {
  say(`${what}: people stay connected for ${seconds} s.`);
}
