import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Client, eventually, type ClientOptions } from '../client.js';
import { Cluster, TOPOLOGIES } from '../cluster.js';
import { tokenOf, type Person } from '../tokens.js';

/** Two of them prove that a connection has carried what was written to it. */
const HEARTBEAT = '100';

describe.each(TOPOLOGIES)('the inbox on %s', (topology) => {
  let cluster: Cluster;
  let clients: Client[] = [];
  let users = 0;
  beforeAll(async () => {
    cluster = new Cluster(topology, {
      STREAMGATE_PING_INTERVAL_MS: HEARTBEAT,
      STREAMGATE_ALLOW_EIO3: 'true',
    });
    await cluster.start();
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  afterAll(() => cluster.stop());

  /** Nobody has heard of them. */
  const somebody = (): Person => ({ id: `user-${++users}` });

  async function keep({ id }: Person, n: number, more: Record<string, unknown> = {}) {
    const body = { to: `user:${id}`, event: 'kept', data: { n }, durable: true, ...more };
    const answer = await cluster.rest('POST /v1/commands', body);
    expect(answer).toMatchObject({ status: 200, body: { outcome: 'done', inboxed: 1 } });
  }

  async function enter(
    person: Person,
    node = cluster.two,
    options: ClientOptions = {},
  ): Promise<Client> {
    const token = await tokenOf(person);
    const client = new Client(node.url, {
      auth: { token },
      query: { token },
      transports: ['websocket'],
      reconnection: false,
      ...options,
    });
    clients.push(client);
    await client.next('connected');
    return client;
  }

  async function heard(client: Client, count: number): Promise<number[]> {
    await eventually(
      () => client.all('kept').length,
      (length) => length >= count,
    );
    // Behind all that the gateway has sent by now.
    await client.ask('ping');
    return (client.all('kept') as { n: number }[]).map(({ n }) => n);
  }

  async function taken(): Promise<number> {
    const nodes = [...new Set([cluster.one, cluster.two])];
    const all = await Promise.all(nodes.map((node) => node.metric('streamgate_inbox_taken_total')));
    return all.reduce((sum, each) => sum + each, 0);
  }

  test('what is kept is counted, once for each inbox', async () => {
    const kept = () => cluster.one.metric('streamgate_inbox_kept_total');
    const before = await kept();
    const to = [somebody(), somebody()].map(({ id }) => `user:${id}`);
    await cluster.rest('POST /v1/commands', { to, event: 'kept', durable: true });
    await cluster.rest('POST /v1/commands', { to, event: 'told' });
    expect((await kept()) - before).toBe(2);
  });

  test('keeps what is sent to a user who is away, and gives it in order, once', async () => {
    const person = somebody();
    const before = await taken();
    for (const n of [1, 2, 3]) await keep(person, n);
    expect(await heard(await enter(person), 3)).toEqual([1, 2, 3]);
    await eventually(taken, (now) => now === before + 3);
    const later = await enter(person, cluster.one);
    await keep(person, 4);
    expect(await heard(later, 1)).toEqual([4]);
  });

  test('gives all of it to each of two devices that come together', async () => {
    const person = somebody();
    for (const n of [1, 2]) await keep(person, n);
    const both = await Promise.all([enter(person, cluster.one), enter(person)]);
    for (const client of both) expect(await heard(client, 2)).toEqual([1, 2]);
  });

  test('sends at once to a user who is there, and takes it out when it has arrived', async () => {
    const person = somebody();
    const client = await enter(person);
    const before = await taken();
    await keep(person, 1);
    expect(await heard(client, 1)).toEqual([1]);
    await eventually(taken, (now) => now === before + 1);
    expect(await heard(await enter(person), 0)).toEqual([]);
  });

  test('gives again what a connection may not have carried', async () => {
    const person = somebody();
    await keep(person, 1);
    const first = await enter(person);
    expect(await heard(first, 1)).toEqual([1]);
    first.socket.io.engine.close();
    expect(await heard(await enter(person), 1)).toEqual([1]);
  });

  test('puts older events before what is sent live meanwhile', async () => {
    const person = somebody();
    const { id } = person;
    const count = 250;
    const commands = Array.from({ length: count }, (_, n) => ({
      to: `user:${id}`,
      event: 'kept',
      data: { n },
      durable: true,
    }));
    await cluster.rest('POST /v1/commands/batch', { commands });
    const entering = enter(person);
    // One after the other: what is said to all at once has no order.
    for (let n = count; n < count + 50; n++)
      await cluster.rest('POST /v1/commands', { to: `user:${id}`, event: 'kept', data: { n } });
    const client = await entering;
    const numbers = await heard(client, count);
    expect(numbers.slice(0, count)).toEqual(Array.from({ length: count }, (_, n) => n));
    // Whoever was not connected yet has missed some of what nobody kept.
    expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  test('reaches a client that polls, page by page', async () => {
    const person = somebody();
    const before = await taken();
    const all = Array.from({ length: 120 }, (_, n) => n);
    for (const n of all) await keep(person, n);
    const client = await enter(person, cluster.one, { transports: ['polling'] });
    expect(await heard(client, 120)).toEqual(all);
    expect(await client.next('inbox-delivered')).toEqual({ events: 120 });
    await eventually(taken, (now) => now === before + 120);
  });

  test('gives a version 2 client on its way to another namespace nothing before it speaks', async () => {
    const person = somebody();
    const before = await taken();
    await keep(person, 1);
    const client = await enter(person, cluster.one, { version: 2 });
    const metric = await taken();
    expect(client.has('kept')).toBe(false);
    await client.ask('get-active-users');
    expect(await client.next('kept')).toEqual({ n: 1 });
    expect(metric).toBe(before);
    await eventually(taken, (now) => now === before + 1);
  });

  test('gives a version 2 client what comes before it speaks when it speaks, once', async () => {
    const person = somebody();
    const client = await enter(person, cluster.one, { version: 2 });
    await keep(person, 1);
    const { id } = person;
    await cluster.rest('POST /v1/commands', { to: `user:${id}`, event: 'told', data: { n: 2 } });
    expect(await client.next('told')).toEqual({ n: 2 });
    expect(client.has('kept')).toBe(false);
    await client.ask('get-active-users');
    expect(await client.next('kept')).toEqual({ n: 1 });
    await keep(person, 3);
    expect(await client.next('kept')).toEqual({ n: 3 });
    // Behind all that the gateway has sent by now.
    await client.ask('get-active-users');
    expect(client.has('kept')).toBe(false);
  });

  test('says no to what it cannot keep', async () => {
    const kept = { event: 'kept', durable: true };
    for (const to of ['course:1', ['user:1', 'role:admin'], '*'])
      expect(await cluster.rest('POST /v1/commands', { ...kept, to })).toMatchObject({
        status: 400,
        body: { code: 'durable_needs_users' },
      });
  });

  test('lets go of what is no longer worth delivering', async () => {
    const person = somebody();
    const expired = async () => {
      const nodes = [...new Set([cluster.one, cluster.two])];
      const all = nodes.map((node) => node.metric('streamgate_inbox_expired_total'));
      return (await Promise.all(all)).reduce((sum, each) => sum + each, 0);
    };
    const before = await expired();
    await keep(person, 1, { ttl: 1 });
    await keep(person, 2);
    const begun = Date.now();
    await eventually(
      () => Date.now(),
      (now) => now > begun + 1000,
    );
    expect(await heard(await enter(person), 1)).toEqual([2]);
    expect(await expired()).toBe(before + 1);
  });

  if (topology !== 'pubsub')
    test('leaves to recovery what a lost session misses, and takes it out then', async () => {
      const person = somebody();
      const client = await enter(person);
      const before = await taken();
      await keep(person, 1);
      expect(await heard(client, 1)).toEqual([1]);
      await eventually(taken, (now) => now === before + 1);
      const { id } = client.socket;
      client.socket.io.engine.close();
      await cluster.two.logged((line) => line.msg === 'disconnect' && line['session'] === id);
      await keep(person, 2);
      const manager = client.socket.io as unknown as { uri: string };
      manager.uri = cluster.one.url;
      client.socket.connect();
      expect(await client.next('connected')).toMatchObject({ recovered: true });
      expect(await heard(client, 2)).toEqual([1, 2]);
      await eventually(taken, (now) => now === before + 2);
      expect(await heard(await enter(person), 0)).toEqual([]);
    });
});
