import { type Interval, median, medianInterval } from '../../gateway/bench/measure.ts';
import { shown } from '../../gateway/bench/program.ts';
import type { Samples } from './measure.ts';

/** A line of the table. */
export interface Row {
  measure: string;
  unit: string;
  /** Medians. */
  stock: number;
  ours: number;
  /** How many times better ours is, whichever direction is better: the median of the rounds' ratios. */
  ratio: number;
  /** Where that lies with 95 % confidence; it counts nevertheless. */
  interval?: Interval;
  /** How many times better it is wanted to be. */
  wanted?: number;
}

/**
 * @param name of the number in each sample
 * @param more `interval`: say how certain the ratio is
 */
export function row(
  measure: string,
  unit: string,
  samples: Samples,
  name: string,
  { interval = false, ...more }: Pick<Row, 'wanted'> & { interval?: boolean } = {},
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
    ...(interval && { interval: medianInterval(ratios) }),
    ...more,
  };
}

export const head = ['measure', 'stock streams', 'mailbox', 'times better', 'wanted', 'met'];

export function cells({ measure, unit, stock, ours, ratio, interval, wanted }: Row): string[] {
  const certain = interval ? ` (${times(interval.low)} to ${times(interval.high)})` : '';
  return [
    measure,
    `${shown(stock)} ${unit}`,
    `${shown(ours)} ${unit}`,
    Number.isFinite(ratio) ? `${times(ratio)}x${certain}` : '',
    wanted === undefined ? '' : `${wanted}x`,
    wanted === undefined ? '' : ratio >= wanted ? 'yes' : 'short',
  ];
}

function times(ratio: number): string {
  return ratio.toFixed(ratio < 10 ? 2 : 0);
}
