import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../../gateway/test/client.ts';
import { ApiException } from '@kubernetes/client-node';
import { core, policy } from '../kit/cluster.ts';
import { Crowd, gaps } from '../kit/crowd.ts';
import { evidence } from '../kit/evidence.ts';
import { Gateway } from '../kit/gateway.ts';
import { run } from '../kit/programs.ts';

const CLIENTS = 100;

const show = evidence(5, 'A pod that is killed, and evictions');
let gateway: Gateway;

beforeAll(async () => {
  gateway = await Gateway.install('lost-pods');
});
afterAll(() => gateway.remove());

test.each([
  // Its object is gone at once; a kubelet that has not seen it going gives the pod its whole grace.
  ['killed by force', ['--force', '--grace-period=0']],
  // Its drain has hardly begun when SIGKILL comes.
  ['killed a second after it was told', ['--grace-period=1']],
])('the clients of a pod that is %s continue elsewhere', async (how, flags) => {
  const crowd = await Crowd.gather(gateway, CLIENTS);
  crowd.write(100);
  const [victim = ''] = await gateway.settled(3);
  const held = (await gateway.sessions()).get(victim) ?? 0;
  expect(held).toBeGreaterThan(0);
  await run('kubectl', ['-n', gateway.namespace, 'delete', 'pod', victim, ...flags]);
  await gateway.settled(3);
  await eventually(
    () => crowd.returns,
    (returns) => returns >= held,
    60_000,
  );
  const story = await crowd.end();
  show(
    `${victim.slice(-5)} ${how}, with ${held} of ${CLIENTS} clients: ${story.returns} returns, ${story.toldFalse} not continued, longest without a connection ${Math.round(story.longestAwayMs)} ms`,
  );
  show(gaps(story));
  expect(story).toMatchObject({ lost: 0, doubled: 0, outOfOrder: 0, toldFalse: 0 });
  await gateway.answers();
});

test('an eviction drains its pod, a second one is refused meanwhile', async () => {
  const crowd = await Crowd.gather(gateway, CLIENTS);
  crowd.write(100);
  const [first = '', second = ''] = await gateway.settled(3);
  await eventually(
    () => allowed(),
    (disruptions) => disruptions === 1,
    60_000,
  );
  expect(await evict(first)).toBe('evicted');
  expect(await evict(second)).toMatch(/^429: .*disruption budget/);
  await gateway.settled(3);
  await eventually(
    () => allowed(),
    (disruptions) => disruptions === 1,
    60_000,
  );
  expect(await evict(second)).toBe('evicted');
  const pods = await gateway.settled(3);
  expect(pods).not.toContain(first);
  expect(pods).not.toContain(second);
  const story = await crowd.end();
  show(
    'the first eviction is let through, a second one meanwhile refused with 429, after it let through',
  );
  show(gaps(story));
  expect(story).toMatchObject({ lost: 0, doubled: 0, outOfOrder: 0, toldFalse: 0 });
});

/** How many pods may be evicted now. */
async function allowed(): Promise<number | undefined> {
  const { namespace } = gateway;
  const { status } = await policy.readNamespacedPodDisruptionBudget({
    namespace,
    name: 'streamgate',
  });
  return status?.disruptionsAllowed;
}

/** As `kubectl drain` does for each pod of a node. @returns `evicted`, or the refusal */
async function evict(name: string): Promise<string> {
  const { namespace } = gateway;
  try {
    await core.createNamespacedPodEviction({
      namespace,
      name,
      body: { metadata: { name, namespace } },
    });
    return 'evicted';
  } catch (error) {
    if (error instanceof ApiException) return `${error.code}: ${String(error.body)}`;
    throw error;
  }
}
