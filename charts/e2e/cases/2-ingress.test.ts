import { spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client, eventually } from '../../../gateway/test/client.ts';
import { tie } from '../../../gateway/test/tied.ts';
import { tokenOf } from '../../../gateway/test/tokens.ts';
import { evidence } from '../kit/evidence.ts';
import { Gateway, PATIENCE_MS } from '../kit/gateway.ts';
import { at, DOMAIN } from '../kit/names.ts';
import { Site } from '../kit/pages.ts';
import { Forward, root, run } from '../kit/programs.ts';
import { removeKinds, startTraefik, TRAEFIK_PORT } from '../kit/traefik.ts';

const CLIENTS = 50;
const ROUNDS = 10;

const show = evidence(2, 'The ingress: polling, upgrades, a removed pod, clients as pasted');
let gateway: Gateway;

beforeAll(async () => {
  gateway = await Gateway.install('ingress', { drain: { seconds: 5 } });
});
afterAll(async () => {
  await removeKinds();
  await gateway.remove();
});

/** With a cookie jar, as a page of the gateway's own origin has one. */
async function client(number: number, transports?: string[]): Promise<Client> {
  const auth = { token: await tokenOf({ id: `p${number}` }) };
  const one = new Client(gateway.url, {
    auth,
    withCredentials: true,
    ...(transports && { transports }),
  });
  await one.next('connected', 30_000);
  return one;
}

test(`${CLIENTS} polling clients stick to their pod, and move on when it is removed`, async () => {
  const numbers = Array.from({ length: CLIENTS }, (_, number) => number);
  const clients = await Promise.all(numbers.map((number) => client(number, ['polling'])));
  let lost = 0;
  for (const { socket } of clients) socket.on('disconnect', () => lost++);
  // Each request goes its own way: one that reached another pod would end the session.
  for (let round = 0; round < ROUNDS; round++)
    await Promise.all(clients.map((each) => each.ask('get-users-stats')));
  expect(lost).toBe(0);
  const spread = await gateway.sessions();
  const counts = [...spread.values()];
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(CLIENTS);
  expect(counts.filter((count) => count > 0).length).toBeGreaterThan(1);
  show(
    `${CLIENTS} polling clients on ${counts.length} pods (${counts.join(', ')}), ${CLIENTS * ROUNDS} events answered, ${lost} sessions lost`,
  );
  const strays = await cookieless();
  expect(strays).toContain(400);
  show(`the same requests without the cookie: ${strays.join(', ')}`);

  const [removed = '', held = 0] = [...spread].find(([, count]) => count > 0) ?? [];
  await run('kubectl', ['-n', gateway.namespace, 'delete', 'pod', removed, '--wait=false']);
  const pods = await gateway.settled(3);
  expect(pods).not.toContain(removed);
  await eventually(
    () => clients.filter(({ socket }) => socket.connected).length,
    (connected) => connected === CLIENTS,
    PATIENCE_MS,
  );
  await eventually(
    async () => [...(await gateway.sessions()).values()].reduce((sum, count) => sum + count, 0),
    (sum) => sum === CLIENTS,
    PATIENCE_MS,
  );
  expect(lost).toBeGreaterThanOrEqual(held);
  show(
    `a pod with ${held} of them removed: all ${CLIENTS} are connected again, on the pods that are left`,
  );
  for (const each of clients) each.close();
});

/** What polls of one session without its cookie are answered with. */
async function cookieless(): Promise<number[]> {
  const url = `${gateway.url}/socket.io/?EIO=4&transport=polling`;
  const opened = await (await fetch(url)).text();
  const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
  const statuses: number[] = [];
  for (let nth = 0; nth < 6; nth++) {
    const answer = await fetch(`${url}&sid=${sid}`, { method: 'POST', body: '40' });
    statuses.push(answer.status);
    await answer.text();
  }
  return statuses;
}

test('a WebSocket upgrade goes through', async () => {
  const one = await client(0);
  await eventually(
    () => one.socket.io.engine.transport.name,
    (name) => name === 'websocket',
    30_000,
  );
  expect(await one.ask('get-users-stats')).toHaveProperty('data');
  one.close();
  show('a client that begins with polling is on WebSocket afterwards, and is answered');
});

test("document 3's client as pasted, from Node and from a page of another origin", async () => {
  const site = await Site.start();
  const origin = `http://pages.${DOMAIN}:${site.port}`;
  await startTraefik(gateway.namespace);
  await gateway.upgrade({
    ingress: { stickiness: 'source', className: '' },
    cors: { origins: [origin] },
  });
  await gateway.settled(3);
  const way = await Forward.open(gateway.namespace, 'service/traefik', TRAEFIK_PORT);
  const [address = '', port] = way.address.split(':');
  at(gateway.host, address);
  const url = `http://${gateway.host}:${port}`;
  const page = await readFile(join(root, 'docs/migrate/document-3.md'), 'utf8');
  const pasted = /```js\n([^]*?)```/.exec(page)?.[1] ?? '';
  expect(pasted).not.toMatch(/withCredentials|transports/);
  const script = (token: string) =>
    pasted.replace('http://localhost:3000', url).replace('your-jwt-token', token);
  const said = ['Connected:', 'Active users:', 'Message from', 'In general :'];
  const heard = (lines: () => string) =>
    eventually(lines, (all) => said.every((text) => all.includes(text)), PATIENCE_MS);
  await answersAt(url);

  const node = await fromNode(script(await tokenOf({ id: 'node' })));
  await heard(() => node.output);
  node.stop();

  site.script = script(await tokenOf({ id: 'page' }));
  const browser = await chromium.launch({
    executablePath: await chromiumPath(),
    args: [`--host-resolver-rules=MAP *.${DOMAIN} 127.0.0.1`],
  });
  const tab = await (await browser.newContext()).newPage();
  const lines: string[] = [];
  tab.on('console', (message) => lines.push(message.text()));
  await tab.goto(origin);
  await heard(() => lines.join('\n'));
  await browser.close();
  way.close();
  await site.stop();
  show(
    `ingress.stickiness=source (Traefik's IngressRoute, ${(await gateway.settled(3)).length} pods): as pasted, with neither cookies nor transports set, it connects and is answered from Node and from a page of ${origin}`,
  );
});

async function answersAt(url: string): Promise<void> {
  await eventually(
    () => fetch(`${url}/socket.io/?EIO=4&transport=polling`).then(({ status }) => status),
    (status) => status === 200,
    PATIENCE_MS,
  );
}

/** A script as a program of its own, in which the names of the tests are this machine. */
async function fromNode(script: string): Promise<{ output: string; stop(): void }> {
  const file = join(root, '.cache/e2e/document-3.mjs');
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, script);
  const names = new URL('../kit/names.ts', import.meta.url).href;
  const child = tie(
    spawn(process.execPath, ['--import', names, file], {
      env: { ...process.env, E2E_INGRESS: '127.0.0.1' },
    }),
  );
  const program = {
    output: '',
    stop() {
      child.kill();
      void rm(file, { force: true });
    },
  };
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (program.output += chunk.toString()));
  return program;
}

async function chromiumPath(): Promise<string> {
  return (await run('sh', ['-c', 'command -v chromium'])).trim();
}
