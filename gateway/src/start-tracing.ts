/**
 * Starts OpenTelemetry before anything else of the node is loaded:
 * `node --import ./dist/start-tracing.js ./dist/main.js`. Off unless an OTLP endpoint is set; everything
 * is set by the standard variables, `OTEL_*`.
 */
import { readTracingConfig } from './config.js';
import { tracing } from './ops/tracing.js';

const config = readTracingConfig();
if (config) {
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  // Metrics and logs have ways of their own: `/metrics` and standard output.
  const { share, ...options } = config;
  const sdk = new NodeSDK({
    ...options,
    ...(share !== undefined && { sampler: tracing.sampler(share) }),
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  tracing.on = true;
  tracing.share = share;
  tracing.shutdown = () => sdk.shutdown();
}
