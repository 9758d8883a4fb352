import { cpus } from 'node:os';
import { type Run as GatewayRun } from '../../gateway/bench/measure.ts';
import type { Candidate } from './cluster.ts';

/** What a scenario needs to know of the run. */
export type Run = Pick<GatewayRun, 'rounds' | 'scale' | 'progress'>;

/** A line of the table. */
export interface Row {
  measure: string;
  unit: string;
  stock: number;
  ours: number;
  /** How many times better ours is, whichever direction is better. */
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

export function row(
  measure: string,
  unit: string,
  measured: Record<Candidate, Record<string, number>>,
  name: string,
  more: Pick<Row, 'wanted'> = {},
): Row {
  const [stock, ours] = [measured.streams[name]!, measured.mailbox[name]!];
  // Of bytes in Redis stock has none, and gives nothing for it: there is nothing to compare.
  const ratio = unit === 'bytes' ? NaN : unit.endsWith('/s') ? ours / stock : stock / ours;
  return { measure, unit, stock, ours, ratio, ...more };
}

/** The same for stock and for ours, one after the other. */
export async function both<T>(
  make: (kind: Candidate) => Promise<T>,
): Promise<Record<Candidate, T>> {
  return { streams: await make('streams'), mailbox: await make('mailbox') };
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
  const lines = rows.map(({ measure, unit, stock, ours, ratio, wanted }) =>
    [
      measure,
      `${shown(stock)} ${unit}`,
      `${shown(ours)} ${unit}`,
      Number.isFinite(ratio) ? `${ratio.toFixed(ratio < 10 ? 2 : 0)}x` : '',
      wanted === undefined ? '' : `${wanted}x`,
      wanted === undefined ? '' : ratio >= wanted ? 'yes' : 'short',
    ].join(' | '),
  );
  return [
    '| measure | stock streams | mailbox | times better | wanted | met |',
    '| --- | ---: | ---: | ---: | --- | --- |',
    ...lines.map((line) => `| ${line} |`),
    '',
    `Medians of one ${quick ? 'smoke' : 'full'} run of ${minutes} minutes, ${time.slice(0, 10)}, Node ${node}, ${machine}.`,
  ].join('\n');
}

function shown(value: number): string {
  if (value === 0) return '0';
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}
