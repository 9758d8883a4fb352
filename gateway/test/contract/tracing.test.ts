import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../client.js';
import { ALICE, BOB, Cluster } from '../cluster.js';
import { SERVICE } from '../rest.js';
import { tokenOf } from '../tokens.js';

/** A span as OTLP/HTTP in JSON carries it, with the node that recorded it. */
interface Span {
  readonly node: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes: Record<string, unknown>;
}

interface Otlp {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: { spans: (Omit<Span, 'attributes' | 'node'> & { attributes: Attribute[] })[] }[];
  }[];
}
interface Attribute {
  key: string;
  value: Record<string, unknown>;
}

const valuesOf = (attributes: Attribute[]) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

/** Where a collector would stand: takes OTLP over HTTP as JSON. */
class Receiver {
  readonly spans: Span[] = [];
  private readonly server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      this.take(JSON.parse(Buffer.concat(chunks).toString()) as Otlp);
      response.setHeader('Content-Type', 'application/json').end('{}');
    });
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  /** The spans of a trace, once there are so many. */
  trace(traceId: string, count: number): Promise<Span[]> {
    return eventually(
      async () => this.spans.filter((span) => span.traceId === traceId),
      (spans) => spans.length >= count,
    );
  }

  private take({ resourceSpans }: Otlp): void {
    for (const { resource, scopeSpans } of resourceSpans)
      for (const { spans } of scopeSpans)
        for (const { attributes, ...span } of spans)
          this.spans.push({
            ...span,
            attributes: valuesOf(attributes),
            node: String(valuesOf(resource.attributes)['process.pid']),
          });
  }
}

const SERVICE_SPAN = 'b7ad6b7169203331';
let traces = 0;
const newTrace = () => (++traces).toString(16).padStart(32, 'a');
const parentOf = (traceId: string, flags = '01') => `00-${traceId}-${SERVICE_SPAN}-${flags}`;

describe.each(['mailbox', 'streams', 'pubsub'] as const)('traces on %s', (topology) => {
  const receiver = new Receiver();
  let cluster: Cluster;
  let redis: Redis;
  beforeAll(async () => {
    cluster = new Cluster(topology, {
      OTEL_EXPORTER_OTLP_ENDPOINT: await receiver.start(),
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0',
    });
    await cluster.start();
    redis = new Redis(cluster.redisUrl);
  });
  afterAll(async () => {
    redis.disconnect();
    await cluster.stop();
    receiver.stop();
  });

  const named = (spans: readonly Span[], name: string) =>
    spans.filter((span) => span.name === name);
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
