import { afterEach, describe, expect, test } from 'vitest';
import { Client, eventually } from '../client.js';
import { ALICE } from '../cluster.js';
import { Proxy, portOf } from '../proxy.js';
import { rest } from '../rest.js';
import { tokenOf } from '../tokens.js';
import { BACKPLANES, Several } from './several.js';

const SESSIONS = 300;
const SECONDS = 10;

describe.each(BACKPLANES)('drain on %s', (backplane) => {
  let several: Several;
  let proxy: Proxy | undefined;
  let clients: Client[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await proxy?.stop();
    proxy = undefined;
    await several.stop();
  });

  async function open(count: number): Promise<Proxy> {
    const balancer = (proxy = await Proxy.start([several.node(1).url]));
    clients = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const id = `user-${index}`;
        return new Client(balancer.url, {
          auth: { token: await tokenOf({ id }) },
          transports: ['websocket'],
          reconnectionDelay: 100,
          reconnectionDelayMax: 500,
        });
      }),
    );
    await Promise.all(clients.map((client) => client.next('connected')));
    return balancer;
  }

  const drained = (node: number, method = 'GET') =>
    fetch(`${several.node(node).managementUrl}/admin/drain`, { method }).then((answer) =>
      answer.json(),
    ) as Promise<{ state: string; remaining: number; rate: number; etaSeconds: number }>;

  test(`${SESSIONS} sessions move to the other node, none is lost, at an even rate`, async () => {
    several = await Several.start(2, backplane, { STREAMGATE_DRAIN_SECONDS: String(SECONDS) });
    const balancer = await open(SESSIONS);
    expect(await several.node(1).metric('streamgate_sessions')).toBe(SESSIONS);
    for (const client of clients) client.forget();

    const moved: number[] = [];
    for (const client of clients) client.socket.on('disconnect', () => moved.push(Date.now()));
    // As a balancer does that has not yet noticed: every second connection still tries node 1.
    balancer.targets = several.nodes.map((node) => portOf(node.url));
    const began = Date.now();
    several.node(1).signal('SIGTERM');
    await eventually(
      () => drained(1),
      ({ state }) => state === 'draining',
    );
    const ready = await fetch(`${several.node(1).managementUrl}/health/ready`);
    expect(ready.status).toBe(503);

    let told = 0;
    let status = await drained(1);
    const rates: number[] = [];
    while (moved.length < SESSIONS) {
      await rest(several.node(2), 'POST /websocket/broadcast', { message: String(++told) });
      const at = Date.now();
      await eventually(
        () => Date.now() - at,
        (passed) => passed >= 250,
      );
      if (several.node(1).lines.some(({ msg }) => msg === 'drained')) break;
      status = await drained(1).catch(() => status);
      // What is left in the last second is said as if it took all of it.
      if (status.etaSeconds > 1) rates.push(status.rate);
    }
    expect(await several.node(1).exit).toEqual({ code: 0, signal: null });
    const took = (Math.max(...moved) - began) / 1000;
    expect(took).toBeGreaterThan(SECONDS * 0.8);
    expect(took).toBeLessThan(SECONDS * 1.2);
    expect(moved).toHaveLength(SESSIONS);
    // The rate is held within 20 % all along: in each fifth of the time a fifth of the sessions.
    const fifth = (SECONDS * 1000) / 5;
    for (let part = 0; part < 5; part++) {
      const count = moved.filter(
        (at) => at - began >= part * fifth && at - began < (part + 1) * fifth,
      ).length;
      expect(count).toBeGreaterThanOrEqual((SESSIONS / 5) * 0.8);
      expect(count).toBeLessThanOrEqual((SESSIONS / 5) * 1.2);
    }
    for (const rate of rates) {
      expect(rate).toBeGreaterThanOrEqual((SESSIONS / SECONDS) * 0.8);
      expect(rate).toBeLessThanOrEqual((SESSIONS / SECONDS) * 1.2);
    }

    // Everybody is back on the other node, nobody was said gone, and all hear what is said now.
    for (const client of clients)
      expect(await client.next('connected')).toMatchObject({ recovered: backplane !== 'pubsub' });
    expect(await several.node(2).metric('streamgate_sessions')).toBe(SESSIONS);
    expect((await rest(several.node(2), 'GET /api/gateway/stats')).body.connectedUsers).toBe(
      SESSIONS,
    );
    await rest(several.node(2), 'POST /websocket/broadcast', { message: 'end' });
    for (const client of clients) {
      const heard: string[] = [];
      while (heard.at(-1) !== 'end')
        heard.push((await client.next('broadcast-notification')).message);
      expect(client.has('user-disconnected')).toBe(false);
      // With recovery nothing of what was said meanwhile is missing, nor heard twice.
      if (backplane !== 'pubsub')
        expect(heard).toEqual([...Array.from({ length: told }, (_, n) => String(n + 1)), 'end']);
    }
  });

  test('a drain can be taken back', async () => {
    several = await Several.start(1, backplane, { STREAMGATE_DRAIN_SECONDS: '60' });
    await open(10);
    expect(await drained(1, 'POST')).toMatchObject({ state: 'draining' });
    expect(await drained(1, 'DELETE')).toMatchObject({ state: 'serving' });
    const ready = await fetch(`${several.node(1).managementUrl}/health/ready`);
    expect(ready.status).toBe(200);
    await eventually(
      () => several.node(1).metric('streamgate_sessions'),
      (count) => count === 10,
    );
  });

  test('clients are told when the operator wants it', async () => {
    several = await Several.start(1, backplane, {
      STREAMGATE_DRAIN_SECONDS: '30',
      STREAMGATE_DRAIN_NOTICE: 'true',
    });
    await open(3);
    await drained(1, 'POST');
    for (const client of clients)
      expect(await client.next('draining')).toEqual({ withinMs: 30_000 });
  });

  test('shed moves a share of the sessions and goes on serving', async () => {
    several = await Several.start(2, backplane);
    const balancer = await open(20);
    balancer.targets = [portOf(several.node(2).url)];
    const answer = await fetch(`${several.node(1).managementUrl}/admin/shed`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ percent: 50, seconds: 1 }),
    });
    expect(answer.ok).toBe(true);
    await eventually(
      () => several.node(2).metric('streamgate_sessions'),
      (count) => count === 10,
    );
    expect(await several.node(1).metric('streamgate_sessions')).toBe(10);
    const ready = await fetch(`${several.node(1).managementUrl}/health/ready`);
    expect(ready.status).toBe(200);
    const { body } = await rest(several.node(2), 'GET /api/gateway/stats', undefined, ALICE);
    expect(body.connectedUsers).toBe(20);
  });
});
