import { ratio, type Row } from './measure.js';
import { shown } from './program.js';

/** A row and what it comes to. */
export type Judged = Row & { ratio: number | undefined; met: boolean | undefined };

export function judged(row: Row): Judged {
  return { ...row, ratio: ratio(row), met: met(row) };
}

export const head = ['measure', 'stock Nest', 'Streamgate', 'times better', 'wanted', 'met'];

/** The ratio always as "so many times better than stock". */
export function cells(row: Judged): string[] {
  return [
    row.measure,
    row.stock === undefined ? '' : quantity(row.stock, row),
    quantity(row.ours, row),
    better(row),
    wanted(row),
    row.met === undefined ? '' : row.met ? 'yes' : 'short',
  ];
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
