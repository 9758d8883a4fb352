import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { eventually } from '../../../gateway/test/client.ts';
import { Conversation } from '../kit/chat.ts';
import { labelled, rolledOut } from '../kit/cluster.ts';
import { evidence } from '../kit/evidence.ts';
import { Gateway, PATIENCE_MS, type Values } from '../kit/gateway.ts';
import { root, run } from '../kit/programs.ts';

const show = evidence(
  10,
  'The trial values: chat through a restart and an upgrade, and away again',
);
/** Of all that the release makes. */
const OWN = ['instance=streamgate', 'part-of=streamgate-trial'].map(
  (label) => `app.kubernetes.io/${label}`,
);
let gateway: Gateway;

beforeAll(async () => {
  const file = join(root, 'charts/streamgate/values-dev.yaml');
  const trial = parse(await readFile(file, 'utf8')) as Values;
  // The host name in the file leads to 127.0.0.1, and the tests have names of their own.
  gateway = await Gateway.claim('trial', { ...trial, ingress: {} });
});
afterAll(() => gateway.remove());

test('it goes as docs/platform/install.md walks it', async () => {
  const { namespace } = gateway;
  const began = Date.now();
  await gateway.upgrade();
  const before = await gateway.settled(3);
  const seconds = Math.round((Date.now() - began) / 1000);
  for (const store of ['redis', 'postgres']) {
    const first = ['exec', `streamgate-${store}-0`, '--', 'cat', '/proc/1/comm'];
    // What is told to end is the program, not a shell before it.
    expect(await run('kubectl', ['-n', namespace, ...first])).toContain(store);
  }
  await gateway.answers();
  expect(await gateway.helm(4, 'test', 'streamgate')).toMatch(/Phase: +Succeeded/);
  const console = await fetch(`${gateway.url}/console`);
  expect(console.status).toBe(200);
  const conversation = await Conversation.begin(gateway);
  const first = await conversation.exchange('before');
  show(
    `values-dev.yaml: ${before.length} gateways, a Redis and a PostgreSQL ready after ${seconds} s, helm test green, /console answers; two clients chat: ${first} messages`,
  );

  await run('kubectl', ['-n', namespace, 'rollout', 'restart', 'deployment/streamgate']);
  await rolledOut(namespace, 'deployment/streamgate');
  const restarted = await gateway.settled(3);
  expect(restarted.filter((pod) => before.includes(pod))).toEqual([]);
  const second = await conversation.exchange('after a restart');
  await gateway.upgrade({ logLevel: 'debug' });
  const upgraded = await gateway.settled(3);
  expect(upgraded.filter((pod) => restarted.includes(pod))).toEqual([]);
  const third = await conversation.exchange('after an upgrade');
  conversation.close();
  show(
    `after kubectl rollout restart ${second} messages, after helm upgrade ${third}: both have heard each once and in order, and the history has them`,
  );

  await gateway.helm(4, 'uninstall', 'streamgate', '--wait');
  await gateway.settled(0);
  await eventually(
    () => labelled(namespace, 'owner=helm', ...OWN),
    (left) => left.length === 0,
    PATIENCE_MS,
  );
  show('after helm uninstall nothing is left');
});
