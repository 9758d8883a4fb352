import { exposition, type Family, type Sample } from './exposition.js';

/**
 * The kinds of metric. On the hot path each is an addition to a plain field; samples are made of the
 * fields at a scrape. Give labels only values of a bounded set (codes, reasons): never users, rooms or
 * names from clients.
 */

/** The value of a label where a family has too many already. */
export const OTHER = 'other';

/** Most sets of label values of one counter or histogram; the next ones count as `other`. */
const LABEL_SETS_MAX = 64;
/** Most values of one reading; a node may execute many partitions. */
const READINGS_MAX = 256;

/** What is kept for one set of label values. */
interface Cell {
  readonly values: readonly string[];
}

/** A family whose samples are told apart by labels. */
abstract class Labelled<C extends Cell> implements Family {
  /** On the prototype: the constructor needs it. */
  abstract get type(): Family['type'];
  /** Of a scrape, for each cell. */
  protected lines = 1;
  private readonly cells = new Map<string, C>();

  constructor(
    readonly name: string,
    readonly help: string,
    readonly labels: readonly string[],
  ) {
    exposition.add(this);
  }

  /** The cell of these label values, to be kept by who counts often. */
  of(...values: readonly string[]): C {
    const key = values.length === 1 ? values[0]! : values.join('\n');
    const known = this.cells.get(key);
    if (known) return known;
    const mayBeOther = values.some((value) => value !== OTHER);
    if (mayBeOther && (this.cells.size >= LABEL_SETS_MAX || !exposition.takes(this.lines))) {
      exposition.refused += 1;
      return this.of(...values.map(() => OTHER));
    }
    const made = this.cell(values);
    this.cells.set(key, made);
    return made;
  }

  samples(): Sample[] {
    return [...this.cells.values()].flatMap((cell) =>
      this.samplesOf(cell, this.named(cell.values)),
    );
  }

  protected all(): Iterable<C> {
    return this.cells.values();
  }

  protected abstract cell(values: readonly string[]): C;
  protected abstract samplesOf(cell: C, labels: Record<string, string>): Sample[];

  private named(values: readonly string[]): Record<string, string> {
    return Object.fromEntries(this.labels.map((label, index) => [label, values[index] ?? '']));
  }
}

interface Total extends Cell {
  value: number;
}

/** What only grows. */
abstract class Totals extends Labelled<Total> {
  get type() {
    return 'counter' as const;
  }

  protected cell(values: readonly string[]): Total {
    return { values, value: 0 };
  }

  protected samplesOf({ value }: Total, labels: Record<string, string>): Sample[] {
    return [{ labels, value }];
  }
}

/** A count, by one label or none. */
export class Count extends Totals {
  /** @param known label values that are there from the start, so that `increase()` sees the first */
  constructor(name: string, help: string, label?: string, known: readonly string[] = []) {
    super(name, help, label ? [label] : []);
    for (const value of label ? known : ['']) this.of(value);
  }

  add(labelValue = '', by = 1): void {
    this.of(labelValue).value += by;
  }

  /** Current value, for tests. */
  value(labelValue = ''): number {
    return this.of(labelValue).value;
  }
}

/** As `Count`, by two labels. */
export class PairCount extends Totals {
  /** @param known pairs that are there from the start */
  constructor(
    name: string,
    help: string,
    labels: readonly [string, string],
    known: readonly (readonly [string, string])[] = [],
  ) {
    super(name, help, labels);
    for (const pair of known) this.of(...pair);
  }

  add(first: string, second = ''): void {
    this.of(first, second).value += 1;
  }

  /** Of all first values together, for tests. */
  value(second: string): number {
    let sum = 0;
    for (const { values, value } of this.all()) if (values[1] === second) sum += value;
    return sum;
  }
}

/** A value that was measured in a traced request. */
interface Exemplar {
  readonly traceId: string;
  readonly value: number;
  /** Seconds since the epoch. */
  readonly time: number;
}

/** How often values fell where. */
export class Buckets implements Cell {
  /** Not cumulated; the last is what is above all bounds. */
  readonly counts: Float64Array;
  sum = 0;
  exemplars: (Exemplar | undefined)[] | undefined;

  constructor(
    readonly values: readonly string[],
    private readonly bounds: readonly number[],
  ) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  /**
   * @param by how many had this value
   * @param traceId of a sampled trace only: an exemplar costs an object
   */
  observe(value: number, by = 1, traceId?: string): void {
    const { bounds } = this;
    let at = 0;
    while (at < bounds.length && value > bounds[at]!) at += 1;
    this.counts[at]! += by;
    this.sum += value * by;
    if (traceId !== undefined)
      (this.exemplars ??= [])[at] = { traceId, value, time: Date.now() / 1000 };
  }
}

/** Durations from 1 ms to 10 s, in seconds. */
export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A distribution in fixed buckets. */
export class Histogram extends Labelled<Buckets> {
  get type() {
    return 'histogram' as const;
  }

  /** @param known label values that are there from the start */
  constructor(
    name: string,
    help: string,
    private readonly bounds: readonly number[],
    label?: string,
    known: readonly string[] = [],
  ) {
    super(name, help, label ? [label] : []);
    this.lines = bounds.length + 3;
    for (const value of label ? known : ['']) this.of(value);
  }

  /** @param value in the base unit of the name */
  observe(value: number, labelValue = ''): void {
    this.of(labelValue).observe(value);
  }

  protected cell(values: readonly string[]): Buckets {
    return new Buckets(values, this.bounds);
  }

  protected samplesOf(cell: Buckets, labels: Record<string, string>): Sample[] {
    let count = 0;
    const buckets = [...this.bounds.map(String), '+Inf'].map((le, at): Sample => {
      count += cell.counts[at]!;
      const exemplar = cell.exemplars?.[at];
      return {
        metricName: `${this.name}_bucket`,
        labels: { ...labels, le },
        value: count,
        ...(exemplar && {
          exemplar: {
            labelSet: { trace_id: exemplar.traceId },
            value: exemplar.value,
            timestamp: exemplar.time,
          },
        }),
      };
    });
    return [
      ...buckets,
      { metricName: `${this.name}_sum`, labels, value: cell.sum },
      { metricName: `${this.name}_count`, labels, value: count },
    ];
  }
}

/** A value that is read when Prometheus asks; absent until somebody says where to read it. */
export class Reading implements Family {
  readonly type = 'gauge';
  readonly labels: readonly string[] = [];
  private source: (() => number) | undefined;

  constructor(
    readonly name: string,
    readonly help: string,
  ) {
    exposition.add(this);
  }

  /** @param value replaces what was read before */
  read(value: () => number): void {
    this.source = value;
  }

  samples(): Sample[] {
    return this.source ? [{ labels: {}, value: this.source() }] : [];
  }
}

/** As `Reading`, several values by labels of a bounded set. */
export class Readings implements Family {
  readonly labels: readonly string[];
  private source: (() => Iterable<readonly [...string[], number]>) | undefined;

  constructor(
    readonly name: string,
    readonly help: string,
    ...labels: readonly string[]
  ) {
    this.labels = labels;
    exposition.add(this);
  }

  get type(): 'gauge' | 'counter' {
    return 'gauge';
  }

  /** @param values label values and the value behind them; replaces what was read before */
  read(values: () => Iterable<readonly [...string[], number]>): void {
    this.source = values;
  }

  samples(): Sample[] {
    if (!this.source) return [];
    return [...this.source()].slice(0, READINGS_MAX).map((row) => ({
      labels: Object.fromEntries(this.labels.map((label, at) => [label, String(row[at])])),
      value: Number(row.at(-1)),
    }));
  }
}

/** As `Readings`, of what only grows and is counted elsewhere. */
export class CountReadings extends Readings {
  override get type() {
    return 'counter' as const;
  }
}
