import { expect, it } from 'vitest';
import { exposition } from './exposition.js';
import { Count, Histogram, PairCount, Reading, Readings, SECONDS } from './metric-kinds.js';
import { metrics } from './metrics.js';

interface Family {
  type: string;
  help: string;
  samples: Map<string, number>;
}

/** Without it what is read is absent. */
function readAll(): void {
  for (const part of Object.values(metrics))
    if (part instanceof Reading) part.read(() => 1);
    else if (part instanceof Readings) part.read(() => [[...part.labels.map(() => 'x'), 1]]);
}

/** Reads the text format, version 0.0.4 (prometheus.io, "Exposition formats"). */
function parse(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let family: Family = { type: '', help: '', samples: new Map() };
  for (const line of text.split('\n').filter(Boolean)) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (kind === 'HELP') {
      family = { type: '', help: rest, samples: new Map() };
      families.set(name, family);
    } else if (kind === 'TYPE') family.type = rest;
    else {
      const sample = /^([a-z_][a-z0-9_]*(?:\{(?:\w+="[^"\\]*",?)*\})?) (\S+)$/i.exec(line);
      expect(sample, line).not.toBeNull();
      family.samples.set(sample?.[1] ?? '', Number(sample?.[2]));
    }
  }
  return families;
}

const scrape = async () => parse((await exposition.scrape()).text);

it('are what a scrape reads', async () => {
  metrics.sessions.read(() => [['/', 'websocket', 7]]);
  metrics.eventsIn.add('ping', 3);
  metrics.connects.add('refused', 'node_full');
  metrics.connects.add('refused', 'node_full');
  const families = await scrape();
  expect(families.get('streamgate_sessions')?.samples).toEqual(
    new Map([['streamgate_sessions{nsp="/",transport="websocket"}', 7]]),
  );
  expect(families.get('streamgate_events_in_total')?.samples).toEqual(
    new Map([
      ['streamgate_events_in_total{event="other"}', 0],
      ['streamgate_events_in_total{event="ping"}', 3],
    ]),
  );
  expect(families.get('streamgate_connects_total')?.samples).toEqual(
    new Map([
      ['streamgate_connects_total{outcome="accepted",reason=""}', 0],
      ['streamgate_connects_total{outcome="recovered",reason=""}', 0],
      ['streamgate_connects_total{outcome="refused",reason="node_full"}', 2],
    ]),
  );
});

it('tell doors apart', async () => {
  metrics.commands.add('kafka', 'unknown_field');
  const samples = (await scrape()).get('streamgate_commands_total')?.samples;
  expect(samples?.get('streamgate_commands_total{door="http",outcome="done"}')).toBe(0);
  expect(samples?.get('streamgate_commands_total{door="kafka",outcome="unknown_field"}')).toBe(1);
});

it('have dead letters from the start, so that increase() sees the first', async () => {
  const samples = (await scrape()).get('streamgate_dead_letters_total')?.samples;
  expect(samples?.get('streamgate_dead_letters_total{code="invalid_json"}')).toBe(0);
});

it('count up and do not start anew at a scrape', async () => {
  metrics.swept.add('', 2);
  await scrape();
  metrics.swept.add();
  expect(metrics.swept.value()).toBe(3);
  expect(
    (await scrape()).get('streamgate_sessions_swept_total')?.samples.values().next().value,
  ).toBe(3);
});

it('are named as Prometheus wants it', async () => {
  readAll();
  const ours = [...(await scrape())].filter(([name]) => name.startsWith('streamgate_'));
  expect(ours).toHaveLength(Object.keys(metrics).length);
  for (const [name, { type, help }] of ours) {
    expect(name).toMatch(/^streamgate_[a-z]+(_[a-z]+)*$/);
    expect(name.endsWith('_total'), name).toBe(type === 'counter');
    expect(help.length, name).toBeGreaterThan(10);
  }
});

it('hold event loop lag and memory too', async () => {
  const names = [...(await scrape()).keys()];
  expect(names).toEqual(
    expect.arrayContaining(['nodejs_eventloop_lag_p99_seconds', 'process_resident_memory_bytes']),
  );
});

it('are written in several turns of the event loop when that takes long, but not in very many', async () => {
  let turns = 0;
  const turn = () => {
    turns += 1;
    next = setImmediate(turn);
  };
  const slow = Array.from({ length: 100 }, (_, index) => `streamgate_test_slow_${index}`);
  for (const name of slow)
    new Reading(name, 'Of this test only').read(() => {
      const until = performance.now() + 1;
      while (performance.now() < until);
      return 1;
    });
  let next = setImmediate(turn);
  const { text } = await exposition.scrape('application/openmetrics-text');
  clearImmediate(next);
  for (const name of slow) exposition.remove(name);
  expect(turns).toBe(5);
  expect(text).toMatch(/\n# EOF\n$/);
});

it('a reading is replaced, not doubled', async () => {
  const reading = new Reading('streamgate_test_reading', 'Of this test only');
  reading.read(() => 1);
  reading.read(() => 2);
  const samples = (await scrape()).get('streamgate_test_reading')?.samples;
  expect(samples).toEqual(new Map([['streamgate_test_reading', 2]]));
  exposition.remove('streamgate_test_reading');
});

it('a name is taken once', () => {
  expect(() => new Count('streamgate_connects_total', 'Again')).toThrow(/already been registered/);
});

it('count by two labels', async () => {
  const pairs = new PairCount('streamgate_test_pairs_total', 'Of this test only', ['a', 'b']);
  pairs.add('x', 'y');
  pairs.add('z', 'y');
  expect(pairs.value('y')).toBe(2);
  expect((await scrape()).get('streamgate_test_pairs_total')?.samples).toEqual(
    new Map([
      ['streamgate_test_pairs_total{a="x",b="y"}', 1],
      ['streamgate_test_pairs_total{a="z",b="y"}', 1],
    ]),
  );
  exposition.remove('streamgate_test_pairs_total');
});

it('a histogram cumulates its buckets', async () => {
  const seconds = new Histogram('streamgate_test_seconds', 'Of this test only', [0.1, 1], 'door');
  for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value, 'http');
  expect((await scrape()).get('streamgate_test_seconds')?.samples).toEqual(
    new Map([
      ['streamgate_test_seconds_bucket{door="http",le="0.1"}', 2],
      ['streamgate_test_seconds_bucket{door="http",le="1"}', 3],
      ['streamgate_test_seconds_bucket{door="http",le="+Inf"}', 4],
      ['streamgate_test_seconds_sum{door="http"}', 7.65],
      ['streamgate_test_seconds_count{door="http"}', 4],
    ]),
  );
  exposition.remove('streamgate_test_seconds');
});

it('OpenMetrics has exemplars of sampled traces, and counters under their names', async () => {
  const seconds = new Histogram('streamgate_test_seconds', 'Of this test only', SECONDS);
  seconds.of('').observe(0.2, 1, '4bf92f3577b34da6a3ce929d0e0e4736');
  const { type, text } = await exposition.scrape('application/openmetrics-text;version=1.0.0');
  expect(type).toContain('application/openmetrics-text');
  expect(text).toMatch(
    /streamgate_test_seconds_bucket\{le="0\.25"\} 1 # \{trace_id="4bf92f3577b34da6a3ce929d0e0e4736"\} 0\.2 [\d.]+\n/,
  );
  expect(text).toMatch(
    /^# TYPE streamgate_events_in counter\nstreamgate_events_in_total\{.*\} \d+$/m,
  );
  expect(text).toMatch(/^process_cpu_seconds_total /m);
  expect(text.endsWith('# EOF\n')).toBe(true);
  exposition.remove('streamgate_test_seconds');
});

it('what has too many label values counts as other, and that is counted', async () => {
  const count = new Count('streamgate_test_total', 'Of this test only', 'code');
  const before = exposition.refused;
  for (let code = 0; code < 200; code += 1) count.add(`code_${code}`);
  const samples = (await scrape()).get('streamgate_test_total')!.samples;
  expect(samples.size).toBe(65);
  expect(samples.get('streamgate_test_total{code="other"}')).toBe(200 - 64);
  expect([...samples.values()].reduce((sum, value) => sum + value, 0)).toBe(200);
  expect(exposition.refused).toBe(before + 200 - 64);
  exposition.remove('streamgate_test_total');
});

it('a node has at most 2,000 series, whatever happens to it', async () => {
  const values = Array.from({ length: 300 }, (_, at) => `value_${at}`);
  for (const part of Object.values(metrics))
    if (part instanceof Readings) {
      // All other sets are of a few, which the gateway knows by itself.
      const rows = part.labels.includes('partition') ? values : values.slice(0, 5);
      part.read(() => rows.map((value) => [...part.labels.map(() => value), 1]));
    } else if (part instanceof Reading) part.read(() => 1);
    else for (const value of values) part.of(...part.labels.map(() => value));
  const families = [...(await scrape()).values()];
  expect(families.reduce((sum, { samples }) => sum + samples.size, 0)).toBeLessThanOrEqual(2000);
});
