import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../client.js';
import { ALICE, BOB, Cluster, TOPOLOGIES } from '../cluster.js';

describe.each(TOPOLOGIES)('metrics on %s', (topology) => {
  const cluster = new Cluster(topology);
  beforeAll(() => cluster.start());
  afterEach(() => cluster.clear());
  afterAll(() => cluster.stop());

  /** How much a series grows, on each node, while something is done. */
  async function growth(series: string, act: () => Promise<void>): Promise<number[]> {
    const nodes = [cluster.one, cluster.two];
    const before = await Promise.all(nodes.map((node) => node.metric(series)));
    await act();
    const after = await Promise.all(nodes.map((node) => node.metric(series)));
    return after.map((value, index) => value - before[index]!);
  }

  test('every node measures the way of a command to its own sessions, once for each event', async () => {
    const here = await cluster.connect(ALICE, 'one');
    const there = [await cluster.connect(BOB, 'two'), await cluster.connect(BOB, 'two')];
    const emit = async (event: string) => {
      const to = ['user:alice', 'user:bob'];
      expect((await cluster.rest('POST /v1/commands', { to, event })).status).toBe(200);
      for (const client of [here, ...there]) await client.next(event);
    };
    const alone = topology === 'memory';
    expect(
      await growth('streamgate_delivery_seconds_count{door="http"}', () => emit('measured')),
    ).toEqual([1, 1]);
    expect(await growth('streamgate_deliveries_total', () => emit('counted'))).toEqual(
      alone ? [3, 3] : [1, 2],
    );
    expect(await growth('streamgate_backplane_received_total', () => emit('received'))).toEqual([
      1, 1,
    ]);
    const [, slowest] = await growth(
      'streamgate_delivery_seconds_bucket{door="http",le="10"}',
      () => emit('in time'),
    );
    expect(slowest).toBe(1);
  });

  test('what a client says is measured from its event to its answer, and to the others', async () => {
    const speaker = await cluster.connect(ALICE, 'one');
    const listener = await cluster.connect(BOB, 'two');
    const say = async () => {
      await speaker.ask('send-message', { message: 'hi' });
      await listener.next('broadcast-message');
    };
    const event = 'streamgate_events_in_total{event="send-message"}';
    expect((await growth(event, say))[0]).toBe(1);
    expect((await growth('streamgate_event_seconds_count{nsp="/"}', say))[0]).toBe(1);
    expect((await growth('streamgate_delivery_seconds_count{door="client"}', say))[1]).toBe(1);
    const unknown = 'streamgate_events_in_total{event="other"}';
    expect((await growth(unknown, async () => void (await speaker.ask('made up', {}))))[0]).toBe(1);
  });

  test('sessions by transport, users of the cluster, and how long sessions last', async () => {
    await cluster.connect(ALICE, 'one', { transports: ['polling'] });
    const left = await cluster.connect(BOB, 'two', { transports: ['websocket'] });
    const { one, two } = cluster;
    const sessions = (transport: string) => `streamgate_sessions{nsp="/",transport="${transport}"}`;
    expect(await one.metric(sessions('polling'))).toBe(1);
    expect(await two.metric(sessions('websocket'))).toBe(1);
    for (const node of [one, two])
      await eventually(
        () => node.metric('streamgate_users{nsp="/"}'),
        (users) => users === 2,
      );
    await eventually(
      () => two.metric('streamgate_traffic_bytes_total{direction="out"}'),
      (bytes) => bytes > 0,
    );
    const ended = await growth('streamgate_session_duration_seconds_count', async () => {
      left.close();
      await eventually(
        () => two.metric(sessions('websocket')),
        (open) => open === 0,
      );
    });
    expect(ended[1]).toBe(1);
  });

  test('what clients make up adds no series, and a node has at most 2,000', async () => {
    const client = await cluster.connect(ALICE, 'one');
    const makeUp = async (from: number) => {
      for (let event = from; event < from + 10; event += 1)
        await client.ask(`made up ${event}`, { [`field ${event}`]: event });
      await client.ask('join-room', { room: `made up ${from}` });
    };
    await makeUp(0);
    expect((await growth('streamgate_metric_series', () => makeUp(10)))[0]).toBe(0);
    for (const node of [cluster.one, cluster.two]) {
      const text = await (await fetch(`${node.managementUrl}/metrics`)).text();
      const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      expect(lines.length).toBeLessThanOrEqual(2000);
    }
  });

  test.skipIf(topology === 'memory')(
    'a command of the stream: its queue and its steps',
    async () => {
      const client = await cluster.connect(ALICE, 'two');
      const redis = new Redis(cluster.redisUrl);
      const write = async () => {
        await redis.xadd('streamgate:emit', '*', 'to', 'user:alice', 'event', 'written');
        await client.next('written');
      };
      const total = async (series: string) => {
        const each = [cluster.one, cluster.two].map((node) => node.metric(series));
        return (await Promise.all(each)).reduce((sum, value) => sum + value, 0);
      };
      for (const name of ['queue_seconds', 'seconds', 'batch_size']) {
        const series = `streamgate_command_${name}_count{door="stream"}`;
        const before = await total(series);
        await write();
        // The outcome is counted when its step has been acknowledged, which the client outruns.
        await eventually(
          () => total(series),
          (count) => count === before + 1,
        );
      }
      const delivered = 'streamgate_delivery_seconds_count{door="stream"}';
      const before = await total(delivered);
      await write();
      expect(await total(delivered)).toBe(before + 1);
      redis.disconnect();
    },
  );
});
