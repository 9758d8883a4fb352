import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../client.js';
import { ALICE, BOB, Cluster } from '../cluster.js';
import { OtlpReceiver, SERVICE_SPAN, named, newTrace, parentOf } from '../otlp.js';
import { freePort } from '../redis.js';
import { tie } from '../tied.js';

const program = execFileSync(fileURLToPath(new URL('../../../tools/go-tool', import.meta.url)), [
  'otelcol',
])
  .toString()
  .trim();

/** A real OpenTelemetry Collector, which hands on what it takes to an `OtlpReceiver`. */
class Collector {
  private readonly backend = new OtlpReceiver();
  private child: ChildProcess | undefined;

  /** @returns what a node needs in its environment to send to it, with the protocol */
  async start(protocol: 'http/protobuf' | 'grpc'): Promise<Record<string, string>> {
    const env = await this.backend.start();
    const port = await freePort();
    const kind = protocol === 'grpc' ? 'grpc' : 'http';
    const config = {
      receivers: { otlp: { protocols: { [kind]: { endpoint: `127.0.0.1:${port}` } } } },
      exporters: {
        otlp_http: {
          endpoint: env['OTEL_EXPORTER_OTLP_ENDPOINT'],
          encoding: 'json',
          compression: 'none',
        },
      },
      service: {
        telemetry: { metrics: { level: 'none' }, logs: { level: 'error' } },
        pipelines: { traces: { receivers: ['otlp'], exporters: ['otlp_http'] } },
      },
    };
    // JSON is YAML.
    this.child = tie(
      spawn(program, ['--config', `yaml:${JSON.stringify(config)}`], {
        stdio: ['ignore', 'ignore', 'inherit'],
      }),
    );
    await eventually(
      () => listens(port),
      (isThere) => isThere,
    );
    return {
      ...env,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    };
  }

  trace(traceId: string, count: number) {
    return this.backend.trace(traceId, count);
  }

  async stop(): Promise<void> {
    if (this.child?.kill()) await once(this.child, 'exit');
    this.backend.stop();
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false; // not yet
  } finally {
    socket.destroy();
  }
}

describe.each(['http/protobuf', 'grpc'] as const)('a Collector over %s', (protocol) => {
  const collector = new Collector();
  let cluster: Cluster;
  let redis: Redis;
  beforeAll(async () => {
    cluster = new Cluster('mailbox', await collector.start(protocol));
    await cluster.start();
    redis = new Redis(cluster.redisUrl);
  });
  afterAll(async () => {
    redis.disconnect();
    await cluster.stop();
    await collector.stop();
  });

  test('gets one connected trace from two nodes, of a service that wrote and clients that heard', async () => {
    const clients = [await cluster.connect(ALICE, 'one'), await cluster.connect(BOB, 'two')];
    const trace = newTrace();
    const to = '["user:alice","user:bob"]';
    const fields = ['to', to, 'event', 'traced', 'traceparent', parentOf(trace)];
    await redis.xadd('streamgate:emit', '*', ...fields);
    for (const client of clients) await client.next('traced');
    const spans = await collector.trace(trace, 4);
    const [process] = named(spans, 'process streamgate:emit');
    const [publish] = named(spans, 'publish');
    expect(process).toMatchObject({ parentSpanId: SERVICE_SPAN });
    expect(publish).toMatchObject({ parentSpanId: process!.spanId, node: process!.node });
    const deliveries = named(spans, 'deliver');
    expect(deliveries.map(({ parentSpanId }) => parentSpanId)).toEqual([
      publish!.spanId,
      publish!.spanId,
    ]);
    expect(deliveries.map(({ node }) => node).toSorted()).toEqual(
      [cluster.one, cluster.two].map(({ pid }) => String(pid)).toSorted(),
    );
  });
});
