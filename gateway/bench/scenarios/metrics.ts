import { Counter, Histogram as StockHistogram, Registry } from 'prom-client';
import { secret, startOurs } from '../candidates.js';
import { interleave, median, newUsers, type Row, type Run, type Sample } from '../measure.js';
import type { Server } from '../server.js';

// Of the built gateway, beside which this is built.
type Kinds = typeof import('../../src/ops/metric-kinds.js');
const { Count, Histogram, SECONDS } = (await import(
  new URL('../../ops/metric-kinds.js', import.meta.url).href
)) as Kinds;

const SESSIONS = 10_000;
const SCRAPES = 50;
/** As Prometheus asks. */
const ACCEPT = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5';

/** What it costs to count, and to be asked for all of it. */
export async function metrics(run: Run): Promise<Row[]> {
  return [...(await counting(run)), ...(await scraping(run))];
}

/** What a hot path pays, against what it would pay prom-client. */
async function counting(run: Run): Promise<Row[]> {
  const times = Math.ceil(5_000_000 * run.scale);
  const labels = ['done', 'duplicate', 'expired'];
  const register = new Registry();
  const named = (name: string) => ({ name, help: 'Of this bench', registers: [register] });
  const counter = new Counter({ ...named('bench_total'), labelNames: ['code'] });
  const stockCounts = labels.map((code) => counter.labels(code));
  const options = { ...named('bench_seconds'), labelNames: ['code'], buckets: SECONDS };
  const stockHistogram = new StockHistogram(options);
  const stockBuckets = labels.map((code) => stockHistogram.labels(code));
  const count = new Count('streamgate_bench_total', 'Of this bench', 'code', labels);
  const counts = labels.map((code) => count.of(code));
  const histogram = new Histogram('streamgate_bench_seconds', 'Of this bench', SECONDS, 'code');
  const buckets = labels.map((code) => histogram.of(code));
  // From 0.2 ms to 0.1 s, as most of what is measured.
  const values = Array.from({ length: 64 }, (_, at) => 0.0002 * 1.1 ** at);
  const cost = (act: (at: number) => void): number => {
    const began = process.cpuUsage();
    for (let at = 0; at < times; at++) act(at);
    const { user, system } = process.cpuUsage(began);
    return ((user + system) * 1000) / times;
  };
  const measurements = {
    stock: async (): Promise<Sample> => ({
      label: cost((at) => counter.inc({ code: labels[at % 3]! })),
      cell: cost((at) => stockCounts[at % 3]!.inc()),
      observe: cost((at) => stockBuckets[at % 3]!.observe(values[at % 64]!)),
    }),
    ours: async (): Promise<Sample> => ({
      label: cost((at) => count.add(labels[at % 3])),
      cell: cost((at) => (counts[at % 3]!.value += 1)),
      observe: cost((at) => buckets[at % 3]!.observe(values[at % 64]!)),
    }),
  };
  // Not measured: both are compiled by now.
  for (const measure of Object.values(measurements)) await measure();
  const measured = await interleave(run, 'counting', measurements);
  const row = (measure: string, name: string): Row => ({
    measure,
    unit: 'ns',
    better: 'lower',
    stock: measured.stock[name]!,
    ours: measured.ours[name]!,
  });
  return [
    row('Counting by label (against prom-client)', 'label'),
    row('Counting in a kept cell (against prom-client)', 'cell'),
    row('Observing in a kept cell (against prom-client)', 'observe'),
  ];
}

/** A node that is asked by Prometheus while it has many sessions. */
async function scraping(run: Run): Promise<Row[]> {
  const server = await startOurs();
  const users = newUsers(Math.ceil(SESSIONS * run.scale));
  await run.load.run('open', { url: server.url, users, secret });
  // What opening has left is not collected in the midst of a scrape, as on a node that has served for long.
  await server.read({ collect: true });
  const sessions = `${users.length.toLocaleString('en')} sessions`;
  const scrapes: Scrape[] = [];
  for (let round = 0; round < SCRAPES; round++) scrapes.push(await scrape(server));
  await server.stop();
  const blocked = scrapes.map(({ blockedMillis }) => blockedMillis);
  run.progress(
    `scrapes with ${sessions} block for ${blocked.map((ms) => ms.toFixed(1)).join(', ')} ms`,
  );
  const row = { unit: 'ms', better: 'lower' } as const;
  return [
    {
      ...row,
      measure: `CPU of a scrape of ${sessions}, median`,
      ours: median(scrapes.map(({ millis }) => millis)),
    },
    { ...row, measure: 'The event loop blocked by such, median', ours: median(blocked) },
    {
      ...row,
      measure: `The event loop blocked by the slowest of ${SCRAPES} such`,
      ours: Math.max(...blocked),
      atMost: 5,
    },
    {
      ...row,
      measure: 'The same, of those in which no garbage was collected',
      ours: Math.max(...scrapes.map(({ ownMillis }) => ownMillis)),
      atMost: 5,
    },
    {
      ...row,
      measure: 'Series of that node',
      unit: '',
      ours: Math.max(...scrapes.map(({ series }) => series)),
      atMost: 2000,
    },
  ];
}

interface Scrape {
  millis: number;
  /** The longest turn of the event loop meanwhile, in CPU time. */
  blockedMillis: number;
  /** Of those in which the garbage collector did not run. */
  ownMillis: number;
  series: number;
}

async function scrape(server: Server): Promise<Scrape> {
  const ask = async () => {
    const url = `${server.addresses.managementUrl}/metrics`;
    return (await fetch(url, { headers: { accept: ACCEPT } })).text();
  };
  await server.quiet();
  const before = await server.read();
  const text = await ask();
  await server.quiet();
  const after = await server.read({ collect: false, watch: true });
  await ask();
  const { longestTurnMicros, longestOwnTurnMicros } = await server.read();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return {
    millis: (after.cpuMicros - before.cpuMicros) / 1000,
    blockedMillis: longestTurnMicros / 1000,
    ownMillis: longestOwnTurnMicros / 1000,
    series: lines.length,
  };
}
