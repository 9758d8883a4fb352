// Loaded with --import in front of a node that traces: turns it off and on while it runs, so that both are
// measured in one process. Two processes of one program differ by more than traces cost.
import { ProxyTracerProvider, trace } from '@opentelemetry/api';
import type { ProbeRequest } from './probe.js';

// Of the built gateway, beside which this is built.
type Tracing = typeof import('../src/ops/tracing.js');
const { tracing } = (await import(new URL('../ops/tracing.js', import.meta.url).href)) as Tracing;

/** The SDK's, which the API knows no type of. */
interface Flushed {
  forceFlush(): Promise<void>;
}

process.on('message', (request: ProbeRequest) => {
  if (request.trace !== undefined) tracing.on = request.trace;
  if (request.flush === true) void flush();
});

async function flush(): Promise<void> {
  const provider = trace.getTracerProvider();
  if (!(provider instanceof ProxyTracerProvider)) throw new Error('nobody traces');
  await (provider.getDelegate() as unknown as Flushed).forceFlush();
}
