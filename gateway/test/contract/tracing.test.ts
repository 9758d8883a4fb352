import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { fieldOf } from '@streamgate/protocol/stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../client.js';
import { ALICE, BOB, Cluster } from '../cluster.js';
import { OtlpReceiver, SERVICE_SPAN, named, newTrace, parentOf } from '../otlp.js';
import { SERVICE } from '../rest.js';
import { tokenOf } from '../tokens.js';
import { DOORS } from './doors/doors.js';

/** A service that is traced: it pays an order, and tells a client. */
const SHOP = `
import { trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { Emitter } from '@streamgate/emitter';
import { activeTrace } from '@streamgate/emitter/otel';

const sdk = new NodeSDK();
sdk.start();
const emitter = new Emitter({ redis: process.argv[1], trace: activeTrace });
await trace.getTracer('shop').startActiveSpan('pay', async (span) => {
  await emitter.toUser('alice').emit('order:paid', { order: 1 });
  span.end();
});
await emitter.close();
await sdk.shutdown();
`;

describe.each(['mailbox', 'streams', 'pubsub'] as const)('traces on %s', (topology) => {
  const receiver = new OtlpReceiver();
  let env: Record<string, string>;
  let cluster: Cluster;
  let redis: Redis;
  beforeAll(async () => {
    env = await receiver.start();
    const eventsOut = { STREAMGATE_EVENTS_OUT: 'message' };
    cluster = new Cluster(topology, { ...env, ...eventsOut, STREAMGATE_TCP_PORT: '0' });
    await cluster.start();
    redis = new Redis(cluster.redisUrl);
  });
  afterAll(async () => {
    redis.disconnect();
    await cluster.stop();
    receiver.stop();
  });

  const pid = (where: 'one' | 'two') => String(cluster[where].pid);

  test('one trace from the service that wrote a command to every node that delivers it', async () => {
    const clients = [
      await cluster.connect(ALICE, 'one'),
      await cluster.connect(ALICE, 'two'),
      await cluster.connect(BOB, 'two'),
    ];
    const trace = newTrace();
    const to = '["user:alice","user:bob"]';
    const fields = ['to', to, 'event', 'traced', 'traceparent', parentOf(trace)];
    const entry = await redis.xadd('streamgate:emit', '*', ...fields);
    for (const client of clients) await client.next('traced');
    const spans = await receiver.trace(trace, 4);
    const [process] = named(spans, 'process streamgate:emit');
    expect(process).toMatchObject({
      parentSpanId: SERVICE_SPAN,
      attributes: {
        'messaging.system': 'redis',
        'messaging.message.id': entry,
        'streamgate.outcome': 'done',
      },
    });
    const [publish] = named(spans, 'publish');
    expect(publish).toMatchObject({ parentSpanId: process!.spanId, node: process!.node });
    const deliveries = named(spans, 'deliver');
    expect(deliveries.map(({ parentSpanId }) => parentSpanId)).toEqual([
      publish!.spanId,
      publish!.spanId,
    ]);
    expect(
      deliveries.map(({ node, attributes }) => [node, Number(attributes['streamgate.sessions'])]),
    ).toEqual(
      expect.arrayContaining([
        [pid('one'), 1],
        [pid('two'), 2],
      ]),
    );
    expect(spans).toHaveLength(4);
    await cluster.clear();
  });

  test('what a client says, from its handler to the others, in the trace it is part of', async () => {
    const [handshake, event] = [newTrace(), newTrace()];
    const speaker = cluster.client('one', {
      auth: { token: await tokenOf(ALICE), traceparent: parentOf(handshake) },
    });
    await speaker.next('connected');
    const listener = await cluster.connect(BOB, 'two');
    await speaker.ask('send-message', { message: 'one' });
    await speaker.ask('send-message', { message: 'two', traceparent: parentOf(event) });
    await listener.next('broadcast-message');
    for (const trace of [handshake, event]) {
      const spans = await receiver.trace(trace, 3);
      const [handled] = named(spans, 'process send-message');
      expect(handled).toMatchObject({ parentSpanId: SERVICE_SPAN, node: pid('one') });
      const delivered = named(spans, 'deliver');
      expect(delivered.map(({ node }) => node).toSorted()).toEqual(
        [pid('one'), pid('two')].toSorted(),
      );
      for (const { parentSpanId } of delivered) expect(parentSpanId).toBe(handled!.spanId);
    }
    await cluster.clear();
  });

  test('a request of the REST door, and what is refused says why', async () => {
    const client = await cluster.connect(BOB, 'two');
    const trace = newTrace();
    const ask = (body: unknown) =>
      cluster.rest('POST /v1/commands', body, SERVICE, { traceparent: parentOf(trace) });
    await ask({ to: 'user:bob', event: 'asked' });
    await client.next('asked');
    expect((await ask({ to: 'user:bob', event: 'connect' })).status).toBe(400);
    const spans = await receiver.trace(trace, 6);
    const requests = named(spans, 'POST /v1/commands');
    expect(requests.map(({ parentSpanId }) => parentSpanId)).toEqual([SERVICE_SPAN, SERVICE_SPAN]);
    const commands = named(spans, 'process http');
    expect(commands.map(({ attributes }) => attributes['error.type'])).toEqual([
      undefined,
      'reserved_event',
    ]);
    for (const { parentSpanId } of commands)
      expect(requests.map(({ spanId }) => spanId)).toContain(parentSpanId);
    expect(named(spans, 'deliver')).toMatchObject([{ node: pid('two') }]);
    await cluster.clear();
  });

  test('a payload of the TCP door', async () => {
    const client = await cluster.connect(BOB, 'two');
    const trace = newTrace();
    const door = await DOORS.tcp!(cluster);
    await door.emit({ to: 'user:bob', event: 'sent', traceparent: parentOf(trace) });
    await client.next('sent');
    await door.close();
    const spans = await receiver.trace(trace, 3);
    const [process] = named(spans, 'process tcp');
    expect(process).toMatchObject({ parentSpanId: SERVICE_SPAN, node: pid('one') });
    const [publish] = named(spans, 'publish');
    expect(publish).toMatchObject({ parentSpanId: process!.spanId });
    expect(named(spans, 'deliver')).toMatchObject([
      { parentSpanId: publish!.spanId, node: pid('two') },
    ]);
    await cluster.clear();
  });

  test('a service of its own, with the emitter and the SDK, to the client', async () => {
    const client = await cluster.connect(ALICE, 'two');
    const service = spawn(
      process.execPath,
      ['--input-type=module', '--eval', SHOP, cluster.redisUrl],
      {
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
        env: { ...env, PATH: process.env['PATH'], OTEL_TRACES_SAMPLER: 'always_on' },
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
    const ended = once(service, 'exit');
    await client.next('order:paid');
    expect(await ended).toEqual([0, null]);
    const [root] = await eventually(
      () => named(receiver.spans, 'pay'),
      (found) => found.length > 0,
    );
    expect(root).toMatchObject({ node: String(service.pid) });
    const spans = await receiver.trace(root!.traceId, 4);
    const chain = ['pay', 'process streamgate:emit', 'publish', 'deliver'];
    expect(spans.map(({ name }) => name).toSorted()).toEqual(chain.toSorted());
    const [first, ...others] = chain.map((name) => named(spans, name)[0]!);
    let parent = first!;
    for (const span of others) {
      expect(span.parentSpanId, span.name).toBe(parent.spanId);
      parent = span;
    }
    await cluster.clear();
  });

  test('who hears clients through the outbound stream goes on with their trace', async () => {
    const client = await cluster.connect(ALICE, 'one');
    const trace = newTrace();
    const payload = { message: 'Hello', traceparent: parentOf(trace) };
    expect((await client.ask('message', payload)).data).toMatchObject({ success: true });
    const [handled] = await receiver.trace(trace, 1);
    const [entry] = await redis.xrevrange('streamgate:events', '+', '-', 'COUNT', 1);
    expect(fieldOf(entry![1], 'traceparent')).toBe(`00-${trace}-${handled!.spanId}-01`);
    await cluster.clear();
  });

  test('what is not sampled leaves no span, and a wrong trace context harms nothing', async () => {
    const client = await cluster.connect(ALICE, 'two');
    const trace = newTrace();
    const before = receiver.spans.length;
    for (const traceparent of [parentOf(trace, '00'), 'no trace', `00-${'0'.repeat(32)}-1-01`]) {
      const fields = ['to', 'user:alice', 'event', 'quiet', 'traceparent', traceparent];
      await redis.xadd('streamgate:emit', '*', ...fields);
      await client.next('quiet');
    }
    // A trace that is recorded comes behind what would have been.
    const last = newTrace();
    const fields = ['to', 'user:alice', 'event', 'loud', 'traceparent', parentOf(last)];
    await redis.xadd('streamgate:emit', '*', ...fields);
    await client.next('loud');
    await receiver.trace(last, 3);
    expect(receiver.spans.slice(before).filter(({ traceId }) => traceId !== last)).toEqual([]);
    await cluster.clear();
  });
});
