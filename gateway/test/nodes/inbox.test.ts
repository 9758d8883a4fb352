import { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import { eventually } from '../client.js';
import type { NodeEnv } from '../node.js';
import { rest } from '../rest.js';
import { tokenOf } from '../tokens.js';
import { Cutter, Listener } from './inbox-listener.js';
import { BACKPLANES, Several } from './several.js';

const PATIENCE = 60_000;

describe.each(BACKPLANES)('the inbox on %s', (backplane) => {
  let several: Several;
  let redis: Redis;
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
    redis?.disconnect();
    await several.stop();
  });

  async function start(count: number, env: NodeEnv = {}): Promise<void> {
    several = await Several.start(count, backplane, { STREAMGATE_PING_INTERVAL_MS: '100', ...env });
    redis = new Redis(several.redis.url);
    redis.on('error', () => undefined);
  }

  /** Writes durable events into the stream, numbered, as a service does. */
  async function write(user: string, from: number, to: number): Promise<void> {
    const batch = redis.pipeline();
    for (let n = from; n < to; n++)
      batch.xadd(
        'streamgate:emit',
        '*',
        ...['to', `user:${user}`, 'event', 'kept', 'data', `{"n":${n}}`],
        ...['durable', '1', 'source', 'test', 'id', `${user}-${n}`],
      );
    for (const [error] of (await batch.exec()) ?? []) if (error) throw error;
  }

  const executed = () =>
    eventually(
      () => redis.xlen('streamgate:emit'),
      (length) => length === 0,
      PATIENCE,
    );

  async function listen(
    user: string,
    url: string,
    ...more: ConstructorParameters<typeof Listener> extends [string, string, ...infer R] ? R : never
  ): Promise<Listener> {
    const listener = new Listener(url, await tokenOf({ id: user }), ...more);
    ends.push(() => listener.close());
    return listener;
  }

  async function total(metric: string): Promise<number> {
    const living = several.nodes.filter((node) => node.running);
    const all = await Promise.all(living.map((node) => node.metric(metric)));
    return all.reduce((sum, each) => sum + each, 0);
  }

  const everything = (listener: Listener, count: number) =>
    eventually(
      () => listener.heard.size,
      (size) => size === count,
      PATIENCE,
    );

  const inboxes = async () => (await redis.keys('{streamgate}:1:inbox:*')).length;

  test('loses nothing and says nothing twice to a session, wherever the connection is cut', async () => {
    await start(2);
    const count = 1500;
    await write('alice', 0, 60);
    await executed();
    const cuts = Array.from({ length: 70 }, (_, index) => 250 + index * 83);
    const cutter = await Cutter.start(
      several.nodes.map(({ url }) => url),
      cuts,
    );
    ends.push(() => cutter.stop());
    const alice = await listen('alice', cutter.url);
    for (let n = 60; n < count; n += 4) {
      await write('alice', n, n + 4);
      // No faster than it is executed, so that it goes on while connections are cut.
      await executed();
    }
    await eventually(
      () => cutter.cuts.length,
      (left) => left === 0,
      PATIENCE,
    );
    await everything(alice, count);
    expect(alice.sessions.length).toBeGreaterThan(10);
    await eventually(inboxes, (left) => left === 0);

    // And those that have received all from before, and so are continued.
    for (let round = 0; round < 10; round++) {
      const begin = count + round * 20;
      const writing = write('alice', begin, begin + 20);
      cutter.drop();
      await writing;
      await everything(alice, begin + 20);
      await eventually(inboxes, (left) => left === 0);
    }
    expect(alice.astray).toEqual([]);
    if (backplane !== 'pubsub') expect(alice.continued).toBeGreaterThan(5);
  });

  test('puts what is written while users connect in its place', async () => {
    await start(2);
    const users = Array.from({ length: 20 }, (_, index) => `racer-${index}`);
    const count = 400;
    const writing = Promise.all(
      users.map(async (user) => {
        for (let n = 0; n < count; n += 10) await write(user, n, n + 10);
      }),
    );
    const listeners = await Promise.all(
      users.map(async (user, index) => {
        await eventually(
          () => redis.zcard(`{streamgate}:1:inbox:order:/:${user}`),
          (kept) => kept > index * 10,
        );
        return listen(user, several.nodes[index % 2]!.url);
      }),
    );
    await writing;
    const all = Array.from({ length: count }, (_, n) => n);
    for (const listener of listeners) {
      await everything(listener, count);
      expect(listener.sessions).toEqual([all]);
    }
  });

  test('does not give back as missed what came out of the inbox', async () => {
    await start(2);
    const cutter = await Cutter.start(
      several.nodes.map(({ url }) => url),
      [],
    );
    ends.push(() => cutter.stop());
    const users = Array.from({ length: 100 }, (_, index) => `both-${index}`);
    const listeners = await Promise.all(
      users.map(async (user, index) => {
        const listener = await listen(user, cutter.url);
        // Some while they are let in, some before, some after, and nothing behind it.
        if (index % 2)
          await new Promise<void>((resolve) => listener.socket.io.once('open', resolve));
        await write(user, 0, 5);
        return listener;
      }),
    );
    for (const listener of listeners) await everything(listener, 5);
    await eventually(inboxes, (left) => left === 0);
    const before = listeners.map(({ heartbeats }) => heartbeats);
    // By now all have proven that they received it, and may be continued.
    await eventually(
      () => listeners.every(({ heartbeats }, index) => heartbeats > before[index]! + 3),
      Boolean,
    );
    cutter.drop();
    await Promise.all(users.map((user) => write(user, 5, 6)));
    for (const listener of listeners) {
      await everything(listener, 6);
      expect(listener.astray).toEqual([]);
      if (backplane === 'mailbox') expect(listener.continued).toBe(1);
    }
  });

  // What follows does not differ by backplane, or is more than the others promise.
  if (backplane !== 'mailbox') return;

  test('gives ten thousand events to one who was away', async () => {
    await start(1);
    const count = 10_000;
    for (let n = 0; n < count; n += 1000) await write('away', n, n + 1000);
    await executed();
    const listener = await listen('away', several.node(1).url);
    await everything(listener, count);
    expect(listener.sessions).toEqual([Array.from({ length: count }, (_, n) => n)]);
    await eventually(inboxes, (left) => left === 0);
  });

  test('gives a thousand users what each has missed, at once', async () => {
    await start(2);
    const users = Array.from({ length: 1000 }, (_, index) => `many-${index}`);
    await Promise.all(users.map((user) => write(user, 0, 3)));
    await executed();
    const listeners = await Promise.all(
      users.map((user, index) => listen(user, several.nodes[index % 2]!.url, { timeout: 20_000 })),
    );
    for (const listener of listeners) await everything(listener, 3);
    expect(listeners.filter(({ sessions }) => sessions.length !== 1)).toEqual([]);
    expect(listeners.filter(({ astray }) => astray.length > 0)).toEqual([]);
    await eventually(inboxes, (left) => left === 0, PATIENCE);
    // Who has lost the connection meanwhile, as on a busy machine, is sent its inbox again.
    const cameBack = listeners.some(({ sessions }) => sessions.length > 1);
    expect(cameBack || (await total('streamgate_inbox_sent_total')) === 3000).toBe(true);
    expect(await total('streamgate_inbox_dropped_total')).toBe(0);
  });

  test('gives to who comes back what a node that was killed may not have sent', async () => {
    await start(2);
    const [doomed, other] = several.nodes as [(typeof several.nodes)[0], (typeof several.nodes)[0]];
    const count = 600;
    const cutter = await Cutter.start([doomed.url, other.url], []);
    ends.push(() => cutter.stop());
    await write('victim', 0, 200);
    await executed();
    const victim = await listen('victim', cutter.url);
    const writing = (async () => {
      for (let n = 200; n < count; n += 5) await write('victim', n, n + 5);
    })();
    await eventually(
      () => victim.heard.size,
      (size) => size > 100,
    );
    cutter.cut = 1;
    await doomed.kill();
    await writing;
    await everything(victim, count);
    expect(victim.astray).toEqual([]);
  });

  test('while Redis is away lets sessions in, and gives them what waited when it is back', async () => {
    await start(1, { STREAMGATE_REDIS_TIMEOUT_MS: '200' });
    await write('late', 0, 150);
    await executed();
    several.redis.pause();
    const late = await listen('late', several.node(1).url);
    await eventually(
      () => late.sessions.length,
      (sessions) => sessions === 1,
    );
    const up = () => several.node(1).metric('streamgate_backplane_up');
    await eventually(up, (value) => value === 0);
    several.redis.resume();
    await eventually(up, (value) => value === 1);
    await write('late', 150, 160);
    await everything(late, 160);
    expect(late.sessions).toEqual([Array.from({ length: 160 }, (_, n) => n)]);
  });

  test('goes by the acks of clients, when told to', async () => {
    await start(2, { STREAMGATE_INBOX_ACK: 'client' });
    const count = 500;
    await write('acker', 0, 300);
    await executed();
    const cutter = await Cutter.start(
      several.nodes.map(({ url }) => url),
      Array.from({ length: 20 }, (_, index) => 400 + index * 211),
    );
    ends.push(() => cutter.stop());
    const refused: (() => void)[] = [];
    let refuses = true;
    const acker = await listen('acker', cutter.url, {}, (n, ack) => {
      expect(ack).toBeTypeOf('function');
      if (n === 499 && refuses) refused.push(ack!);
      else ack!();
    });
    for (let n = 300; n < count; n += 10) await write('acker', n, n + 10);
    await everything(acker, count);
    // One that is not acknowledged stays, and holds nobody up.
    await eventually(
      () => redis.zrange('{streamgate}:1:inbox:order:/:acker', '0', '-1'),
      (left) => left.length === 1,
      PATIENCE,
    );
    await write('acker', count, count + 1);
    await everything(acker, count + 1);
    acker.close();
    const again = await listen('acker', several.node(2).url, {}, (_, ack) => ack!());
    await eventually(
      () => again.heard,
      (heard) => heard.has(499),
    );
    refuses = false;
    await eventually(inboxes, (left) => left === 0);
  });

  test('lets nothing newer pass an inbox whose client acknowledges slowly, neither live nor missed', async () => {
    await start(2, { STREAMGATE_INBOX_ACK: 'client' });
    await write('slow', 0, 300);
    await executed();
    const cutter = await Cutter.start([several.node(1).url], []);
    ends.push(() => cutter.stop());
    let acks: (() => void)[] | undefined = [];
    const slow = await listen('slow', cutter.url, {}, (_, ack) =>
      acks ? acks.push(ack!) : ack?.(),
    );
    const tell = (n: number) =>
      rest(several.node(2), 'POST /v1/commands', { to: 'user:slow', event: 'kept', data: { n } });
    await everything(slow, 200);
    await tell(300);
    cutter.drop();
    await eventually(
      () => [slow.continued, slow.sessions[0]!.length],
      ([continued, length]) => continued === 1 && length === 400,
    );
    await tell(301);
    // Behind all that node 1 has sent by now.
    await slow.socket.emitWithAck('ping');
    expect(slow.heard.size).toBe(200);
    const waiting = acks.splice(0);
    acks = undefined;
    for (const ack of waiting) ack();
    await everything(slow, 302);
    expect(slow.sessions[0]!.slice(400)).toEqual(
      Array.from({ length: 102 }, (_, index) => 200 + index),
    );
  });

  test('keeps what one device has acknowledged for another that has not been sent it yet', async () => {
    await start(2, { STREAMGATE_INBOX_ACK: 'client' });
    const acks = { phone: 0, desk: 0 };
    const listenOn = (node: number, device: keyof typeof acks) =>
      listen('two', several.node(node).url, { reconnection: false }, (_, ack) => {
        acks[device] = Date.now();
        ack!();
      });
    const [phone, desk] = [await listenOn(1, 'phone'), await listenOn(2, 'desk')];
    for (const { socket } of [phone, desk])
      await eventually(
        () => socket.connected,
        (connected) => connected,
      );
    several.node(2).pause();
    const body = { to: 'user:two', event: 'kept', data: { n: 1 }, durable: true };
    await rest(several.node(1), 'POST /v1/commands', body);
    await everything(phone, 1);
    phone.close();
    await several.node(1).logged((line) => line.msg === 'disconnect');
    several.node(2).resume();
    await everything(desk, 1);
    // The last takes it out at once, and not three seconds after its ack.
    desk.close();
    await eventually(inboxes, (left) => left === 0);
    expect(Date.now() - Math.max(acks.phone, acks.desk)).toBeLessThan(3000);
  });
});
