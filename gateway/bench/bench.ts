import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Load } from './load/driver.js';
import type { Row, Run } from './measure.js';
import { report, table } from './report.js';
import { acks } from './scenarios/acks.js';
import { chat } from './scenarios/chat.js';
import { connects } from './scenarios/connects.js';
import { door } from './scenarios/door.js';
import { fanOut } from './scenarios/fan-out.js';
import { idleHeap } from './scenarios/idle-heap.js';
import { metrics } from './scenarios/metrics.js';
import { tracing } from './scenarios/tracing.js';
import { unicast } from './scenarios/unicast.js';

const scenarios: Record<string, (run: Run) => Promise<Row[]>> = {
  heap: idleHeap,
  connects,
  acks,
  'fan-out': fanOut,
  unicast,
  door,
  chat,
  metrics,
  tracing,
};

const help = `Measures the gateway against a stock Nest + Socket.IO gateway, interleaved, and prints medians.
Usage: npm run bench -- [--quick] [--rounds N] [--write] [scenario...]
  --quick      a tenth of the size, one round: does it run at all?
  --rounds N   measurements of each (default 7)
  --write      put the table into docs/performance.md
  scenario     ${Object.keys(scenarios).join(', ')} (default: all)
Numbers also go to gateway/bench/results/latest.json. A full run takes a few minutes; use an idle machine.`;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (options.help) console.log(help);
else await main();

async function main(): Promise<void> {
  const started = performance.now();
  const chosen = positionals.length > 0 ? positionals : Object.keys(scenarios);
  const unknown = chosen.filter((name) => !(name in scenarios));
  if (unknown.length > 0) throw new Error(`no scenario called ${unknown.join(', ')}; see --help`);
  const load = new Load();
  const run: Run = {
    load,
    rounds: Number(options.rounds ?? (options.quick ? 1 : 7)),
    scale: options.quick ? 0.1 : 1,
    progress: (line) => console.error(`${seconds(started)} s  ${line}`),
  };
  const rows: Row[] = [];
  for (const name of chosen) rows.push(...(await scenarios[name]!(run)));
  await load.stop();
  const result = report(rows, { quick: options.quick, millis: performance.now() - started });
  const results = new URL('../../bench/results/', import.meta.url);
  await mkdir(results, { recursive: true });
  await writeFile(new URL('latest.json', results), `${JSON.stringify(result, null, 2)}\n`);
  console.log(table(result));
  if (options.write) await writeDocument(table(result));
}

/** Replaces what stands between the markers of docs/performance.md. */
async function writeDocument(text: string): Promise<void> {
  const file = new URL('../../../docs/performance.md', import.meta.url);
  const before = await readFile(file, 'utf8');
  const markers = /(<!-- bench -->\n)[\s\S]*(<!-- \/bench -->)/;
  if (!markers.test(before)) throw new Error('docs/performance.md has lost its bench markers');
  await writeFile(
    file,
    before.replace(markers, (_, begin, end) => `${begin}\n${text}\n\n${end}`),
  );
}

function seconds(started: number): string {
  return ((performance.now() - started) / 1000).toFixed(0).padStart(4);
}
