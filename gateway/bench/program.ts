import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Extent } from './measure.js';

/** What all runs of a benchmark say, and what tells one benchmark from another. */
export interface Benchmark<Row> {
  /** What it measures, and how it is called: the head of its help. */
  about: string;
  scenarios: readonly string[];
  /** Measures these scenarios. */
  measure: (scenarios: readonly string[], extent: Extent) => Promise<Row[]>;
  /** Of the table. */
  head: readonly string[];
  cells: (row: Row) => string[];
  /** Where the numbers go unless told otherwise; relative to the folder that it is run in. */
  json: string;
  /** The table stands in docs/performance.md between `<!-- marker -->` and `<!-- /marker -->`. */
  marker: string;
  /** docs/performance.md */
  document: URL;
}

interface Report<Row> {
  /** ISO 8601. */
  time: string;
  node: string;
  machine: string;
  minutes: number;
  quick: boolean;
  rows: Row[];
}

/** Does what the command line asks for. @throws Error on an unknown option or scenario */
export async function run<Row>(benchmark: Benchmark<Row>): Promise<void> {
  const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      write: { type: 'boolean', default: false },
      json: { type: 'string', default: benchmark.json },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (options.help) return console.log(help(benchmark));
  const started = performance.now();
  const chosen = positionals.length > 0 ? positionals : benchmark.scenarios;
  const unknown = chosen.filter((name) => !benchmark.scenarios.includes(name));
  if (unknown.length > 0) throw new Error(`no scenario called ${unknown.join(', ')}; see --help`);
  const rows = await benchmark.measure(chosen, {
    rounds: Number(options.rounds ?? (options.quick ? 1 : 7)),
    scale: options.quick ? 0.1 : 1,
    progress: (line) =>
      console.error(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${line}`),
  });
  const report: Report<Row> = {
    time: new Date().toISOString(),
    node: process.version,
    machine: `${cpus().length} x ${cpus()[0]?.model.trim()}`,
    minutes: Math.round((performance.now() - started) / 6000) / 10,
    quick: options.quick,
    rows,
  };
  const file = resolve(options.json);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(report, null, 2)}\n`);
  const text = table(benchmark, report);
  console.log(text);
  if (options.write) await writeDocument(benchmark, text);
}

function help<Row>({ about, scenarios, json }: Benchmark<Row>): string {
  return `${about} -- [--quick] [--rounds N] [--json FILE] [--write] [scenario...]
  --quick      a tenth of the size, one round: does it run at all?
  --rounds N   measurements of each (default 7)
  --json FILE  where the numbers go (default ${json})
  --write      put the table into docs/performance.md
  scenario     ${scenarios.join(', ')} (default: all)
A full run takes a few minutes; use an idle machine.`;
}

/** Markdown. */
function table<Row>({ head, cells }: Benchmark<Row>, report: Report<Row>): string {
  const { rows, node, machine, time, minutes, quick } = report;
  return [
    ...aligned(head, rows.map(cells)),
    '',
    `Medians of one ${quick ? 'smoke' : 'full'} run of ${minutes} minutes, ${time.slice(0, 10)}, Node ${node}, ${machine}.`,
  ].join('\n');
}

/** A table as the formatter of this repository leaves it, readable in a terminal too. */
export function aligned(head: readonly string[], lines: string[][]): string[] {
  const widths = head.map((name, column) =>
    Math.max(...[name, ...lines.map((line) => line[column]!)].map(({ length }) => length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...lines.map(line)];
}

async function writeDocument<Row>(benchmark: Benchmark<Row>, text: string): Promise<void> {
  const { document, marker } = benchmark;
  await writeFile(document, replaceMarked(await readFile(document, 'utf8'), marker, text));
}

/**
 * Replaces what stands between `<!-- marker -->` and `<!-- /marker -->` of a document.
 * @throws Error when they are not there
 */
export function replaceMarked(before: string, marker: string, text: string): string {
  const markers = new RegExp(`(<!-- ${marker} -->\\n)[\\s\\S]*(<!-- /${marker} -->)`);
  if (!markers.test(before)) throw new Error(`the document has lost its markers ${marker}`);
  return before.replace(markers, (_, begin, end) => `${begin}\n${text}\n\n${end}`);
}

/** A number of a table. */
export function shown(value: number): string {
  if (value === 0) return '0';
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}
