/** A board as data; `grafana.ts` makes of it what Grafana imports. */
export interface Board {
  readonly uid: string;
  /** Behind "Streamgate / ". */
  readonly title: string;
  readonly description: string;
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[];
}

export interface Panel {
  readonly kind: 'stat' | 'timeseries' | 'heatmap';
  readonly title: string;
  /** What it shows, and what to do when it looks wrong. */
  readonly description: string;
  /** As Grafana names units: `s`, `bytes`, `percentunit`, `ops`, `short`. */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** Where it turns yellow and red, upwards; `falling`: downwards. */
  readonly thresholds?: { readonly warn: number; readonly bad: number; readonly falling?: boolean };
  /** Names for values, as `{ 1: 'there', 0: 'away' }`. */
  readonly values?: Readonly<Record<string, string>>;
  /** Name of an alert, whose runbook is linked. */
  readonly runbook?: string;
  /** Of 24; 8 unless given, 4 for a stat. */
  readonly width?: number;
}

export interface Query {
  readonly expr: string;
  readonly legend: string;
}

/** The choice at the top of each board; a Prometheus outside of Kubernetes has no `namespace`. */
export const CHOSEN = 'namespace=~"$namespace", job=~"$job", instance=~"$instance"';

/** A metric of the chosen nodes. @param labels further matchers */
export function of(metric: string, labels = ''): string {
  return `${metric}{${CHOSEN}${labels && `, ${labels}`}}`;
}

/** Its growth a second. */
export function rate(metric: string, labels = ''): string {
  return `rate(${of(metric, labels)}[$__rate_interval])`;
}

/** A quantile of a histogram. @param by further labels to keep apart */
export function quantile(q: number, metric: string, labels = '', by = ''): string {
  const kept = ['le', by].filter(Boolean).join(', ');
  return `histogram_quantile(${q}, sum by (${kept}) (${rate(`${metric}_bucket`, labels)}))`;
}

/** Zero where there is no series yet: nothing is wrong, and the panel says so. */
export function orZero(expr: string): string {
  return `${expr} or on() vector(0)`;
}

/** A share; all is well while nothing happens. */
export function share(part: string, all: string): string {
  return `(${part} / (${all} > 0)) or on() vector(1)`;
}
