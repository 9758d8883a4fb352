import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../../gateway/test/client.ts';
import { Crowd, gaps } from '../kit/crowd.ts';
import { evidence } from '../kit/evidence.ts';
import { Gateway, nameOf, type Values } from '../kit/gateway.ts';

const show = evidence(8, 'A release that cannot start, and the way back');
let gateway: Gateway;

beforeAll(async () => {
  gateway = await Gateway.install('wrong-release');
});
afterAll(() => gateway.remove());

test.for([
  ['a wrong image tag', { image: { tag: 'no-such-tag' } }, /ImagePullBackOff|ErrImage/],
  ['a wrong Redis URL', { redis: { url: 'redis://nobody:6379' } }, /not started/],
] as [string, Values, RegExp][])('%s', async ([what, values, looks]) => {
  const serving = await gateway.settled(3);
  const crowd = await Crowd.gather(gateway, 30);
  crowd.write(30);
  const wrong = gateway.upgrade(values, 4, '30s');
  const refused = expect(wrong).rejects.toThrow(/timed? ?out|deadline/i);
  // The new pods are there and do not get ready, for their reason.
  await eventually(
    () => newPods(serving),
    (states) => states.length > 0 && states.every((state) => looks.test(state)),
    60_000,
  );
  await refused;
  expect((await gateway.sessions()).size).toBe(3);
  await gateway.helm(4, 'rollback', 'streamgate', '--wait', '--timeout', '240s');
  expect(await gateway.settled(3)).toEqual(serving);
  const story = await crowd.end();
  show(
    `${what}: helm gives up, the 3 old pods serve on, after helm rollback they are the only ones; ${story.returns} returns; ${gaps(story)}`,
  );
  expect(story).toMatchObject({ returns: 0, lost: 0, doubled: 0, outOfOrder: 0 });
});

/** Why each pod beyond these is not ready. */
async function newPods(known: string[]): Promise<string[]> {
  const pods = (await gateway.pods()).filter((pod) => !known.includes(nameOf(pod)));
  return pods.map(({ status }) => {
    const [container] = status?.containerStatuses ?? [];
    if (container?.state?.running && container.started === false) return 'not started';
    return container?.state?.waiting?.reason ?? 'nothing known';
  });
}
