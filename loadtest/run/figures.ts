import { duringLoad, type Figure, type Measured, statistic } from './measured.ts';
import { HEARTBEAT_SECONDS } from './memory.ts';

/** Below that the thousandth is one of a few: the longest by another name. */
const ENOUGH_FOR_THOUSANDTHS = 10_000;

/** From the time at which an event should have been sent to its handler. */
export function delivery(measured: Measured, tag = '', name = 'Delivery'): Figure[] {
  const metric = `load_delivery${tag}`;
  const count = statistic(measured, metric, 'count') ?? 0;
  return [
    ['median', 'med'],
    ['99 %', 'p(99)'],
    ...(count < ENOUGH_FOR_THOUSANDTHS ? [] : [['99.9 %', 'p(99.9)']]),
  ].map(([share, stat]) => ({
    name: `${name}, ${share}`,
    unit: 'ms',
    // Of what never came k6 says 0.
    value: count > 0 ? statistic(measured, metric, stat!) : undefined,
    better: 'lower',
  }));
}

/** What became of what people were sent. */
export function integrity(measured: Measured): Figure[] {
  const count = (metric: string) => statistic(measured, metric, 'count') ?? 0;
  const sent = count('load_sent');
  return [
    { name: 'Events sent to people', unit: '', value: sent },
    {
      name: 'Delivered',
      unit: '%',
      value: sent === 0 ? undefined : (count('load_received') / sent) * 100,
      better: 'higher',
    },
    { name: 'Lost', unit: 'events', value: count('load_lost'), better: 'lower' },
    { name: 'Doubled', unit: 'events', value: count('load_doubled'), better: 'lower' },
    { name: 'Out of order', unit: 'events', value: count('load_out_of_order'), better: 'lower' },
  ];
}

/** Who lost its connection, and when it was back. */
export function returns(measured: Measured): Figure[] {
  const dropped = statistic(measured, 'load_dropped', 'count') ?? 0;
  const back = (stat: string) => statistic(measured, 'load_back', stat);
  const recovered = statistic(measured, 'load_recovered', 'value');
  return [
    { name: 'Connections lost', unit: '% of sessions', value: (dropped / measured.sessions) * 100 },
    { name: 'Back again, median', unit: 'ms', value: back('med'), better: 'lower' },
    { name: 'Back again, 95 %', unit: 'ms', value: back('p(95)'), better: 'lower' },
    { name: 'Back again, longest', unit: 'ms', value: back('max'), better: 'lower' },
    {
      name: 'Told `recovered: true`',
      unit: '%',
      value: recovered === undefined ? undefined : recovered * 100,
      better: 'higher',
    },
    {
      name: 'Never back',
      unit: 'sessions',
      value: statistic(measured, 'load_not_back', 'count'),
      better: 'lower',
    },
  ];
}

/** What nodes and Redis used, as averages over the load. */
export function usage(measured: Measured): Figure[] {
  if (measured.candidate === 'target') return [];
  const nodes = average(measured, ({ nodes: each }) => each.reduce((sum, { cpu }) => sum + cpu, 0));
  const received = statistic(measured, 'load_received', 'count') ?? 0;
  const perEvent = (cpu: number | undefined) =>
    cpu === undefined || received === 0 ? undefined : ((cpu * measured.loadEnds) / received) * 1e6;
  return [
    { name: 'CPU of all nodes', unit: 'cores', value: nodes, better: 'lower' },
    { name: 'CPU of all nodes for an event', unit: 'µs', value: perEvent(nodes), better: 'lower' },
    {
      name: 'CPU of Redis for an event',
      unit: 'µs',
      value: perEvent(average(measured, ({ redis }) => redis?.cpu ?? 0)),
      better: 'lower',
    },
    {
      name: 'CPU of k6',
      unit: 'cores',
      value: average(measured, ({ k6 }) => k6?.cpu ?? 0),
    },
  ];
}

/** What a session costs its node while nothing is sent: against the same nodes before anybody came. */
export function perSession(measured: Measured): Figure[] {
  const { sessions, facts } = measured;
  const grown = (name: string) => {
    const each =
      ((facts[`${name} with people`] ?? NaN) - (facts[`${name} alone`] ?? NaN)) / sessions;
    return Number.isNaN(each) ? undefined : each;
  };
  return [
    { name: 'Sessions held', unit: '', value: sessions },
    { name: 'Memory of a session, resident', unit: 'KiB', value: grown('KiB'), better: 'lower' },
    { name: 'Memory of a session, heap', unit: 'KiB', value: grown('heap KiB'), better: 'lower' },
    {
      name: 'CPU of 1000 idle sessions',
      unit: 'millicores',
      // A shorter time may be without a heartbeat, which is all that an idle session does.
      value: measured.seconds < HEARTBEAT_SECONDS ? undefined : (grown('millicores') ?? NaN) * 1000,
      better: 'lower',
    },
    {
      name: 'Connect, median',
      unit: 'ms',
      value: statistic(measured, 'load_connect', 'med'),
      better: 'lower',
    },
    {
      name: 'Connect, 99 %',
      unit: 'ms',
      value: statistic(measured, 'load_connect', 'p(99)'),
      better: 'lower',
    },
  ];
}

/** Of the samples that the load fell into; undefined when there are none. */
export function average(
  measured: Measured,
  of: (sample: Measured['samples'][number]) => number,
): number | undefined {
  const during = duringLoad(measured);
  if (during.length === 0) return undefined;
  return during.reduce((sum, sample) => sum + of(sample), 0) / during.length;
}

/** Delivery at each step of the load, by the tag `step`. @param names of the steps */
export function steps(measured: Measured, names: readonly string[]): Figure[] {
  return names.flatMap((name, step) => delivery(measured, `{step:${step}}`, `Delivery, ${name}`));
}

/** A number that the runner has noted. */
export function fact(measured: Measured, name: string, unit = ''): Figure {
  return { name, unit, value: measured.facts[name], better: 'lower' };
}
