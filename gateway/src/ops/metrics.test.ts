import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Count, Reading, Readings, metrics, registry } from './metrics.js';

interface Family {
  type: string;
  help: string;
  samples: Map<string, number>;
}

/** Without it what is read is absent. */
function readAll(): void {
  for (const part of Object.values(metrics))
    if (part instanceof Reading) part.read(() => 1);
    else if (part instanceof Readings) part.read(() => [['x', 1]]);
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

const scrape = async () => parse(await registry.metrics());

it('are what a scrape reads', async () => {
  metrics.sessions.read(() => 7);
  metrics.eventsIn.add('', 3);
  metrics.connects.add('node_full');
  metrics.connects.add('node_full');
  const families = await scrape();
  expect(families.get('streamgate_sessions')?.samples).toEqual(
    new Map([['streamgate_sessions', 7]]),
  );
  expect(families.get('streamgate_events_in_total')?.samples).toEqual(
    new Map([['streamgate_events_in_total', 3]]),
  );
  expect(families.get('streamgate_connects_total')?.samples).toEqual(
    new Map([
      ['streamgate_connects_total{outcome="accepted"}', 0],
      ['streamgate_connects_total{outcome="recovered"}', 0],
      ['streamgate_connects_total{outcome="node_full"}', 2],
    ]),
  );
});

it('tell doors apart', async () => {
  metrics.commands.add('kafka', 'unknown_field');
  const samples = (await scrape()).get('streamgate_commands_total')?.samples;
  expect(samples?.get('streamgate_commands_total{door="http",outcome="done"}')).toBe(0);
  expect(samples?.get('streamgate_commands_total{door="kafka",outcome="unknown_field"}')).toBe(1);
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
  expect(ours).toHaveLength(Object.keys(metrics).length + 1);
  for (const [name, { type, help }] of ours) {
    expect(name).toMatch(/^streamgate_[a-z]+(_[a-z]+)*$/);
    expect(name.endsWith('_total'), name).toBe(type === 'counter');
    expect(help.length, name).toBeGreaterThan(10);
  }
});

it('are all in the documentation', async () => {
  const page = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
  readAll();
  const names = [...(await scrape()).keys()].filter((name) => name.startsWith('streamgate_'));
  const listed = [...page.matchAll(/^\| `(streamgate_\w+)`/gm)].map(([, name]) => name);
  expect(listed.toSorted()).toEqual(names.toSorted());
});

it('hold event loop lag and memory too', async () => {
  const names = [...(await scrape()).keys()];
  expect(names).toEqual(
    expect.arrayContaining(['nodejs_eventloop_lag_p99_seconds', 'process_resident_memory_bytes']),
  );
});

it('a reading is replaced, not doubled', async () => {
  const reading = new Reading('streamgate_test_reading', 'Of this test only');
  reading.read(() => 1);
  reading.read(() => 2);
  const samples = (await scrape()).get('streamgate_test_reading')?.samples;
  expect(samples).toEqual(new Map([['streamgate_test_reading', 2]]));
  registry.removeSingleMetric('streamgate_test_reading');
});

it('a name is taken once', () => {
  expect(() => new Count('streamgate_connects_total', 'Again')).toThrow(/already been registered/);
});
