import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Raw } from '../raw.js';
import { startRedis, type TestRedis } from '../redis.js';
import { rest } from '../rest.js';
import { tokenOf } from '../tokens.js';
import { memory, startVictim, type Victim } from './victim.js';

const MALLORY = { id: 'mallory', username: 'Mallory' };
const MIB = 1024 * 1024;

/** Pings of the neighbour, one after the other, until the other is done: how many were answered. */
async function pingsDuring(victim: Victim, other: Promise<unknown>): Promise<number> {
  let going = true;
  const done = other.finally(() => (going = false));
  let answered = 0;
  while (going) {
    expect(await victim.neighbour.ask('ping')).not.toHaveProperty('error.code', 'internal');
    answered++;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  await done;
  return answered;
}

/** Sends 10,000 events a second on one session for so long, or until it is closed. */
async function flood(raw: Raw, seconds: number, packet: string): Promise<number> {
  const began = performance.now();
  let sent = 0;
  while (raw.open && performance.now() - began < seconds * 1000) {
    const due = Math.floor((performance.now() - began) * 10);
    for (; sent < due; sent++) raw.send(packet);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return sent;
}

describe('10,000 events a second from one client', () => {
  test('are refused, the client is closed, and the neighbour is answered meanwhile', async () => {
    const victim = await startVictim();
    const attack = (async () => {
      for (let again = 0; again < 5; again++) {
        const raw = await Raw.session(victim.node.url, MALLORY);
        await flood(raw, 5, '421["send-message",{"message":"x"}]');
        await raw.closed;
        const told = raw.frames.filter((frame) => String(frame).includes('rate_limited'));
        expect(told.length).toBeGreaterThan(0);
      }
    })();
    expect(await pingsDuring(victim, attack)).toBeGreaterThan(5);
    // No more than its burst of 200 went to the neighbour each time.
    expect(victim.neighbour.all('broadcast-message').length).toBeLessThanOrEqual(5 * 300);
    expect(await victim.node.metric('streamgate_closings_total{cause="flood"}')).toBe(5);
    await victim.unharmed();
    await victim.stop();
  });

  test('that are allowed by configuration are all answered, and the neighbour too', async () => {
    const victim = await startVictim({
      STREAMGATE_EVENTS_PER_SECOND: '100000',
      STREAMGATE_EVENTS_BURST: '100000',
      STREAMGATE_BYTES_PER_SECOND: String(100 * MIB),
    });
    const raw = await Raw.session(victim.node.url, MALLORY);
    let sent = 0;
    const attack = flood(raw, 3, '421["message",{"message":"x"}]').then((count) => (sent = count));
    const answered = await pingsDuring(victim, attack);
    await raw.answers();
    expect(raw.frames.filter((frame) => String(frame).startsWith('431')).length).toBe(sent);
    expect(sent).toBeGreaterThan(20_000);
    expect(answered).toBeGreaterThan(5);
    raw.close();
    await victim.unharmed();
    await victim.stop();
  });
});

describe.each(['memory', 'mailbox'])(
  'a client that costs memory or attention on %s',
  (backplane) => {
    let redis: TestRedis | undefined;
    let victim: Victim;
    beforeAll(async () => {
      if (backplane !== 'memory') redis = await startRedis();
      victim = await startVictim({
        STREAMGATE_MAX_SESSIONS_PER_USER: '1000',
        STREAMGATE_BACKPLANE: backplane,
        STREAMGATE_REDIS_URL: redis?.url,
      });
    });
    afterAll(async () => {
      await victim.stop();
      await redis?.stop();
    });

    test('a reader that stops reading is ended, and its neighbour hears all', async () => {
      const { node, neighbour } = victim;
      const reader = await Raw.session(node.url, MALLORY);
      (reader.ws as unknown as { _socket: { pause(): void } })._socket.pause();
      const before = await memory(node);
      const text = 'x'.repeat(64 * 1024);
      const userIds = ['neighbour', 'mallory'];
      const slow = 'streamgate_closings_total{cause="slow_consumer"}';
      let sent = 0;
      // The system's own buffers take some MiB before the node has to hold anything.
      while ((await node.metric(slow)) === 0 && sent < 1000) {
        const message = { number: sent++, text };
        const body = { userIds, event: 'large', message };
        expect((await rest(node, 'POST /api/gateway/send-many', body)).status).toBe(200);
      }
      expect(await node.metric(slow)).toBe(1);
      expect((await memory(node)) - before).toBeLessThan(96 * MIB);
      for (let each = 0; each < sent; each++)
        expect((await neighbour.next('large')).number).toBe(each);
      reader.close();
      await victim.unharmed();
    });

    test('a poller that stops polling is ended too', async () => {
      const { node } = victim;
      const url = `${node.url}/socket.io/?EIO=4&transport=polling`;
      const handshake = await (await fetch(url)).text();
      const { sid } = JSON.parse(handshake.slice(1)) as { sid: string };
      const connect = `40${JSON.stringify({ token: await tokenOf(MALLORY) })}`;
      await fetch(`${url}&sid=${sid}`, { method: 'POST', body: connect });
      await fetch(`${url}&sid=${sid}`);
      const slow = 'streamgate_closings_total{cause="slow_consumer"}';
      const ended = await node.metric(slow);
      const message = { text: 'x'.repeat(64 * 1024) };
      for (let sent = 0; sent < 40; sent++) {
        const body = { userId: 'mallory', event: 'large', message };
        await rest(node, 'POST /api/gateway/send', body);
      }
      expect(await node.metric(slow)).toBe(ended + 1);
      expect((await fetch(`${url}&sid=${sid}`)).status).toBe(400);
      await victim.unharmed();
    });

    test('many CONNECT packets on one connection', async () => {
      const raw = await Raw.open(victim.node.url);
      const connect = `40${JSON.stringify({ token: await tokenOf(MALLORY) })}`;
      for (let time = 0; time < 1000; time++) raw.send(connect);
      await raw.closed;
      expect(await victim.node.metric('streamgate_sessions')).toBeLessThanOrEqual(2);
      await victim.unharmed();
    });

    test('many CONNECT packets with bad tokens on one connection', async () => {
      const raw = await Raw.open(victim.node.url);
      for (let time = 0; time < 1000; time++) raw.send(`40{"token":"nonsense-${time}"}`);
      await raw.closed;
      await victim.unharmed();
    });

    test('many names of namespaces', async () => {
      const raw = await Raw.session(victim.node.url, MALLORY);
      const before = await memory(victim.node);
      for (let time = 0; time < 20_000 && raw.open; time++) {
        raw.send(`40/${time}-${'n'.repeat(1000)},`);
        if (time % 500 === 0) await new Promise(setImmediate);
      }
      await Promise.race([raw.closed, raw.answers().catch(() => undefined)]);
      expect((await memory(victim.node)) - before).toBeLessThan(64 * MIB);
      raw.close();
      await victim.unharmed();
    });

    test('many unknown events: told of a few, remembered in a bounded set', async () => {
      const raw = await Raw.session(victim.node.url, MALLORY);
      for (let time = 0; time < 150; time++) raw.send(`42["unknown-${time}-${'x'.repeat(2000)}"]`);
      await raw.answers();
      const told = raw.frames.filter((frame) => String(frame).startsWith('42["error"'));
      expect(told.length).toBeGreaterThan(0);
      expect(told.length).toBeLessThan(50);
      expect(told.join('')).not.toContain('unknown-');
      raw.close();
      await victim.unharmed();
    });

    test('connections that never authenticate are closed', async () => {
      const raws = await Promise.all(Array.from({ length: 50 }, () => Raw.open(victim.node.url)));
      const opened = Date.now();
      await Promise.all(raws.map((raw) => raw.closed));
      expect(Date.now() - opened).toBeLessThan(20_000);
      await victim.unharmed();
    });
  },
);
