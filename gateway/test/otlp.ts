import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from './client.js';

/** A span as OTLP/HTTP in JSON carries it, with the process that recorded it. */
export interface Span {
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
export class OtlpReceiver {
  readonly spans: Span[] = [];
  private readonly server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      this.take(JSON.parse(Buffer.concat(chunks).toString()) as Otlp);
      response.setHeader('Content-Type', 'application/json').end('{}');
    });
  });

  /** @returns what a process needs in its environment to send what is sampled by its parent */
  async start(): Promise<Record<string, string>> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    const { port } = this.server.address() as AddressInfo;
    return {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0',
    };
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

/** What the tests' services have as their span, and traces of it. */
export const SERVICE_SPAN = 'b7ad6b7169203331';
let traces = 0;
export const newTrace = () => (++traces).toString(16).padStart(32, 'a');
export const parentOf = (traceId: string, flags = '01') => `00-${traceId}-${SERVICE_SPAN}-${flags}`;
export const named = (spans: readonly Span[], name: string) =>
  spans.filter((span) => span.name === name);
