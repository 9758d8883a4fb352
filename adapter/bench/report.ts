import { cpus } from 'node:os';
import { type Samples, median } from './measure.ts';

/** A line of the table. */
export interface Row {
  measure: string;
  unit: string;
  /** Medians. */
  stock: number;
  ours: number;
  /** How many times better ours is, whichever direction is better: the median of the rounds' ratios. */
  ratio: number;
  /** How many times better it is wanted to be. */
  wanted?: number;
}

export interface Report {
  /** ISO 8601. */
  time: string;
  node: string;
  machine: string;
  minutes: number;
  quick: boolean;
  rows: Row[];
}

/** @param name of the number in each sample */
export function row(
  measure: string,
  unit: string,
  samples: Samples,
  name: string,
  more: Pick<Row, 'wanted'> = {},
): Row {
  const stock = samples.streams.map((sample) => sample[name]!);
  const ours = samples.mailbox.map((sample) => sample[name]!);
  // Of bytes in Redis stock has none, and gives nothing for it: there is nothing to compare.
  const ratios = ours.map((mine, round) =>
    unit === 'bytes' ? NaN : unit.endsWith('/s') ? mine / stock[round]! : stock[round]! / mine,
  );
  return {
    measure,
    unit,
    stock: median(stock),
    ours: median(ours),
    ratio: median(ratios),
    ...more,
  };
}

export function report(rows: Row[], run: { quick: boolean; millis: number }): Report {
  return {
    time: new Date().toISOString(),
    node: process.version,
    machine: `${cpus().length} x ${cpus()[0]?.model.trim()}`,
    minutes: Math.round(run.millis / 6000) / 10,
    quick: run.quick,
    rows,
  };
}

/** Markdown. */
export function table({ rows, node, machine, time, minutes, quick }: Report): string {
  const lines = rows.map(({ measure, unit, stock, ours, ratio, wanted }) => [
    measure,
    `${shown(stock)} ${unit}`,
    `${shown(ours)} ${unit}`,
    Number.isFinite(ratio) ? `${ratio.toFixed(ratio < 10 ? 2 : 0)}x` : '',
    wanted === undefined ? '' : `${wanted}x`,
    wanted === undefined ? '' : ratio >= wanted ? 'yes' : 'short',
  ]);
  return [
    ...aligned(['measure', 'stock streams', 'mailbox', 'times better', 'wanted', 'met'], lines),
    '',
    `Medians of one ${quick ? 'smoke' : 'full'} run of ${minutes} minutes, ${time.slice(0, 10)}, Node ${node}, ${machine}.`,
  ].join('\n');
}

/** As the formatter of this repository leaves a table. */
function aligned(head: string[], lines: string[][]): string[] {
  const widths = head.map((name, column) =>
    Math.max(...[name, ...lines.map((line) => line[column]!)].map(({ length }) => length)),
  );
  const line = (cells: string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...lines.map(line)];
}

function shown(value: number): string {
  if (value === 0) return '0';
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}
