import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SECRET } from '../../gateway/test/node.ts';
import { Several } from '../../gateway/test/nodes/several.ts';
import { Proxy } from '../../gateway/test/proxy.ts';
import { tokenOf } from '../../gateway/test/tokens.ts';
import { runScript } from './k6.ts';

const EVENTS = 10;

let gateway: Several;
let proxy: Proxy;
beforeAll(async () => {
  gateway = await Several.start(2, 'mailbox');
  proxy = await Proxy.start(gateway.nodes.map(({ url }) => url));
});
afterAll(async () => {
  await proxy?.stop();
  await gateway?.stop();
});

async function send(userId: string, n: number, service: string): Promise<void> {
  const answer = await fetch(`${gateway.node(2).url}/api/gateway/send`, {
    method: 'POST',
    headers: { authorization: `Bearer ${service}`, 'content-type': 'application/json' },
    body: JSON.stringify({ userId, event: 'news', message: { n } }),
  });
  expect(answer.status).toBe(200);
}

it('survives the death of a node of ours as the guarantees say: all of it, once, in order, recovered', async () => {
  const service = await tokenOf({ id: 'service', roles: ['service'] });
  let asked: (() => void) | undefined;
  const control = createServer((request, response) => {
    void (async () => {
      const users = (await text(request)).split(',');
      // Both VUs are connected before the node dies.
      if (!asked) await new Promise<void>((resolve) => (asked = resolve));
      else {
        asked();
        proxy.targets = proxy.targets.slice(1);
        await gateway.node(1).kill();
      }
      for (let n = 0; n < EVENTS; n++)
        await Promise.all(users.map((user) => send(user, n, service)));
      response.end();
    })();
  }).listen(0, '127.0.0.1');
  await once(control, 'listening');
  const { said } = await runScript('gateway', {
    URL: proxy.url,
    CONTROL: `http://127.0.0.1:${(control.address() as AddressInfo).port}`,
    EVENTS: `${EVENTS}`,
    SECRET,
  });
  control.close();
  const people = said as {
    user: string;
    news: number[];
    connected: object[];
    recovered: boolean;
  }[];
  expect(people).toHaveLength(8);
  const numbers = Array.from({ length: EVENTS }, (_, n) => n);
  for (const { user, news, connected, recovered } of people) {
    expect(news).toEqual(numbers);
    expect(connected[0]).toEqual({ userId: user, recovered: false });
    if (connected.length > 1) expect(connected[1]).toEqual({ userId: user, recovered: true });
    expect(recovered).toBe(connected.length > 1);
  }
  expect(people.filter(({ connected }) => connected.length > 1)).toHaveLength(4);
});

it('tells why the gateway refuses a token, and does not try again', async () => {
  const { said } = await runScript('refused', { URL: gateway.node(2).url });
  expect(said).toEqual([
    {
      message: 'Authentication failed',
      data: expect.objectContaining({ retryable: false }),
      active: false,
    },
  ]);
});
