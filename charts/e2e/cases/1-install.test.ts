import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../../gateway/test/client.ts';
import { core, labelled } from '../kit/cluster.ts';
import { evidence } from '../kit/evidence.ts';
import { Gateway } from '../kit/gateway.ts';
import { setting } from '../kit/settings.ts';

const show = evidence(1, 'Install, helm test, helm 3, from helm 3 to helm 4, rollback, uninstall');
let gateway: Gateway;

beforeAll(async () => {
  gateway = await Gateway.prepare('install');
});
afterAll(() => gateway.remove());

/** What is left in the namespace of what Helm or the chart made, each with its kind. */
function left(): Promise<string[]> {
  return labelled(gateway.namespace, 'app.kubernetes.io/instance=streamgate', 'owner=helm');
}

test('the image is there', async () => {
  const { items } = await core.listNode();
  const image = setting('E2E_IMAGE');
  const known = items
    .flatMap(({ status }) => status?.images ?? [])
    .find(({ names }) => names?.some((name) => name.endsWith(image)));
  expect(known, `no node has ${image}`).toBeDefined();
  show(`image ${image}: ${Math.round((known?.sizeBytes ?? 0) / 1e6)} MB, as the node counts`);
});

for (const major of [4, 3] as const)
  test(`helm ${major} installs, helm test is green, uninstall leaves nothing`, async () => {
    const began = Date.now();
    await gateway.upgrade({}, major);
    const pods = await gateway.settled(3);
    const seconds = Math.round((Date.now() - began) / 1000);
    // Helm 3 looks for the log when the pod has been taken away.
    const logs = major === 4 ? ['--logs'] : [];
    const output = await gateway.helm(major, 'test', 'streamgate', ...logs);
    expect(output).toMatch(/Phase: +Succeeded/);
    if (major === 4) expect(output).toContain('ok: an event sent through the REST door arrives');
    const objects = await left();
    await gateway.helm(major, 'uninstall', 'streamgate', '--wait');
    await gateway.settled(0);
    expect(await left()).toEqual([]);
    show(
      `helm ${major}: ${pods.length} pods ready after ${seconds} s, helm test green, ${objects.length} objects there, after uninstall 0`,
    );
  });

test('a release of helm 3 is upgraded by helm 4 and rolled back', async () => {
  const level = async () => {
    const { data } = await core.readNamespacedConfigMap({
      namespace: gateway.namespace,
      name: 'streamgate',
    });
    return data?.['STREAMGATE_LOG_LEVEL'];
  };
  await gateway.upgrade({}, 3);
  await gateway.upgrade({ logLevel: 'debug' }, 4);
  expect(await level()).toBe('debug');
  await gateway.helm(4, 'rollback', 'streamgate', '1', '--wait', '--timeout', '240s');
  expect(await level()).not.toBe('debug');
  await gateway.settled(3);
  await gateway.answers();
  const { client } = await connect(gateway.url, { id: 'ann' }, { transports: ['websocket'] });
  client.close();
  const history = JSON.parse(await gateway.helm(4, 'history', 'streamgate', '-o', 'json')) as {
    status: string;
    description: string;
  }[];
  const revisions = history.map(({ status, description }) => `${description} (${status})`);
  show(`history: ${revisions.join(', ')}; a client connects after it`);
});
