import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Run } from './measure.ts';
import { type Row, report, table } from './report.ts';
import { fanOut } from './scenarios/fan-out.ts';
import { memory } from './scenarios/memory.ts';
import { recovery } from './scenarios/recovery.ts';
import { tenNodes, unicast } from './scenarios/unicast.ts';

const scenarios: Record<string, (run: Run) => Promise<Row[]>> = {
  unicast,
  'ten-nodes': tenNodes,
  'fan-out': fanOut,
  recovery,
  memory,
};

const help = `Measures the mailbox adapter against the stock streams adapter, interleaved, and prints medians.
Each runs in ordinary Socket.IO servers, in processes of their own, on a Redis of its own.

Usage: npm run bench -w adapter -- [--quick] [--rounds N] [--json FILE] [--write] [scenario...]
  --quick      a tenth of the size, one round: does it run at all?
  --rounds N   measurements of each (default 7)
  --json FILE  where the numbers go (default .cache/adapter-bench.json)
  --write      put the table into docs/performance.md
  scenario     ${Object.keys(scenarios).join(', ')} (default: all)
A full run takes a few minutes; use an idle machine.`;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    write: { type: 'boolean', default: false },
    json: { type: 'string', default: '.cache/adapter-bench.json' },
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
  const run: Run = {
    rounds: Number(options.rounds ?? (options.quick ? 1 : 7)),
    scale: options.quick ? 0.1 : 1,
    progress: (line) =>
      console.error(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${line}`),
  };
  const rows: Row[] = [];
  for (const name of chosen) rows.push(...(await scenarios[name]!(run)));
  const result = report(rows, { quick: options.quick, millis: performance.now() - started });
  const file = resolve(options.json);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(result, null, 2)}\n`);
  console.log(table(result));
  if (options.write) await writeDocument(table(result));
}

/** Replaces what stands between the markers of docs/performance.md. */
async function writeDocument(text: string): Promise<void> {
  const file = new URL('../../docs/performance.md', import.meta.url);
  const before = await readFile(file, 'utf8');
  const markers = /(<!-- adapter bench -->\n)[\s\S]*(<!-- \/adapter bench -->)/;
  if (!markers.test(before)) throw new Error('docs/performance.md has lost its bench markers');
  await writeFile(
    file,
    before.replace(markers, (_, begin, end) => `${begin}\n${text}\n\n${end}`),
  );
}
