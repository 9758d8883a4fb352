import { AsyncLocalStorage } from 'node:async_hooks';
import {
  context,
  type Context,
  type ContextManager,
  createTraceState,
  ROOT_CONTEXT,
  trace,
  TraceFlags,
} from '@opentelemetry/api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { activeTrace } from './otel.js';

/** What an SDK sets up, as small as it can be. */
class Contexts extends AsyncLocalStorage<Context> implements ContextManager {
  active = () => this.getStore() ?? ROOT_CONTEXT;
  with = ((
    active: Context,
    work: (...args: unknown[]) => unknown,
    self: unknown,
    ...args: unknown[]
  ) => this.run(active, () => work.apply(self, args))) as ContextManager['with'];
  bind = <T>(_: Context, target: T) => target;
  override disable = () => (super.disable(), this);
  enable = () => this;
}

beforeAll(() => void context.setGlobalContextManager(new Contexts()));
afterAll(() => context.disable());

test('gives the active span as W3C trace context', () => {
  const span = trace.wrapSpanContext({
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    traceFlags: TraceFlags.SAMPLED,
    traceState: createTraceState('vendor=1'),
  });
  const given = context.with(trace.setSpan(ROOT_CONTEXT, span), activeTrace);
  expect(given).toEqual({
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    tracestate: 'vendor=1',
  });
});

test('gives nothing outside of a span', () => {
  expect(activeTrace()).toBeUndefined();
});
