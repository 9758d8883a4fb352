import { cpus } from 'node:os';
import { ratio, type Row } from './measure.js';

export interface Report {
  /** ISO 8601. */
  time: string;
  node: string;
  machine: string;
  minutes: number;
  quick: boolean;
  rows: (Row & { ratio: number | undefined; met: boolean | undefined })[];
}

export function report(rows: Row[], run: { quick: boolean; millis: number }): Report {
  return {
    time: new Date().toISOString(),
    node: process.version,
    machine: `${cpus().length} x ${cpus()[0]?.model.trim()}`,
    minutes: Math.round(run.millis / 6000) / 10,
    quick: run.quick,
    rows: rows.map((row) => ({ ...row, ratio: ratio(row), met: met(row) })),
  };
}

/** Markdown: one line for each measure, the ratio always as "so many times better than stock". */
export function table({ rows, node, machine, time, minutes, quick }: Report): string {
  const lines = rows.map((row) => [
    row.measure,
    row.stock === undefined ? '' : quantity(row.stock, row),
    quantity(row.ours, row),
    better(row),
    wanted(row),
    row.met === undefined ? '' : row.met ? 'yes' : 'short',
  ]);
  return [
    ...aligned(['measure', 'stock Nest', 'Streamgate', 'times better', 'wanted', 'met'], lines),
    '',
    `Medians of one ${quick ? 'smoke' : 'full'} run of ${minutes} minutes, ${time.slice(0, 10)}, Node ${node}, ${machine}.`,
  ].join('\n');
}

/** A table as the formatter of this repository leaves it, readable in a terminal too. */
function aligned(head: string[], lines: string[][]): string[] {
  const widths = head.map((name, column) =>
    Math.max(...[name, ...lines.map((line) => line[column]!)].map(({ length }) => length)),
  );
  const row = (cells: string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [row(head), row(widths.map((width) => '-'.repeat(width))), ...lines.map(row)];
}

function met(row: Row): boolean | undefined {
  if (row.wanted === undefined && row.atMost === undefined) return undefined;
  const least = row.paired?.low ?? ratio(row) ?? Infinity;
  return least >= (row.wanted ?? 0) && row.ours <= (row.atMost ?? Infinity);
}

function better(row: Row): string {
  const times = ratio(row);
  const { paired } = row;
  if (times === undefined) return '';
  if (!paired) return `${times.toFixed(2)}x`;
  return `${times.toFixed(3)}x (${paired.low.toFixed(3)} to ${paired.high.toFixed(3)})`;
}

function wanted(row: Row): string {
  const bounds = [
    row.wanted === undefined ? [] : `${row.wanted}x`,
    row.atMost === undefined ? [] : `at most ${`${row.atMost} ${row.unit}`.trim()}`,
  ];
  return bounds.flat().join(', ');
}

function quantity(value: number, { unit }: Row): string {
  return `${shown(value)} ${unit}`.trim();
}

function shown(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}
