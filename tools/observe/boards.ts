import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Prometheus, Series } from './prometheus.ts';

const FOLDER = join(import.meta.dirname, '../../dashboards/grafana');

/** A panel of a board, as Grafana imports it. */
export interface BoardPanel {
  readonly board: string;
  readonly title: string;
  /** `stat` shows the last value, others all over the time that is looked at. */
  readonly type: string;
  readonly queries: readonly string[];
}

interface Dashboard {
  readonly title: string;
  readonly panels: readonly {
    readonly type: string;
    readonly title: string;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
  readonly annotations: {
    readonly list: readonly { readonly name: string; readonly expr?: string }[];
  };
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: unknown }[];
  };
}

const dashboards = globSync('*.json', { cwd: FOLDER })
  .toSorted()
  .map((file) => ({
    uid: basename(file, '.json'),
    ...(JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Dashboard),
  }));

/** Every panel of the committed boards. */
export const PANELS: readonly BoardPanel[] = dashboards.flatMap(({ title: board, panels }) =>
  panels
    .filter(({ type }) => type !== 'row')
    .map(({ type, title, targets = [] }) => ({
      board: board.replace('Streamgate / ', ''),
      title,
      type,
      queries: targets.map(({ expr }) => expr),
    })),
);

/** Queries of the marks on all boards, by name. */
export const MARKS: ReadonlyMap<string, string> = new Map(
  dashboards
    .flatMap(({ annotations }) => annotations.list)
    .flatMap(({ name, expr }) => (expr ? [[name, expr] as const] : [])),
);

/** `label_values(metric, label)` of the variables, by name. */
export const VARIABLES: ReadonlyMap<string, { readonly match: string; readonly label: string }> =
  new Map(
    dashboards
      .flatMap(({ templating }) => templating.list)
      .flatMap(({ name, query }) => {
        const text = (query as { query?: string }).query ?? '';
        const [, match, label] = /^label_values\((.+), (\w+)\)$/.exec(text) ?? [];
        return match && label ? [[name, { match, label }] as const] : [];
      }),
  );

/** A query as Grafana sends it when All is chosen everywhere. @param seconds between two scrapes */
export function asGrafana(expr: string, seconds: number): string {
  return expr
    .replaceAll('$__rate_interval', `${4 * seconds}s`)
    .replaceAll('$namespace', '.*')
    .replaceAll(/\$(job|instance)\b/g, '.+');
}

/** What a query of a panel gave. */
export interface Seen {
  readonly panel: BoardPanel;
  readonly series: readonly Series[];
  /** All numbers of all series. */
  readonly numbers: readonly number[];
}

/** Asks all of a panel, as Grafana does. @param from Unix seconds; for a stat only now counts */
export async function look(
  prometheus: Prometheus,
  panel: BoardPanel,
  seconds: number,
  from: number,
): Promise<Seen[]> {
  return Promise.all(
    panel.queries.map(async (expr) => {
      const query = asGrafana(expr, seconds);
      const series =
        panel.type === 'stat'
          ? await prometheus.now(query)
          : await prometheus.over(query, from, Date.now() / 1000, seconds);
      const values = series.flatMap((each) => each.values.map(([, value]) => Number(value)));
      return { panel, series, numbers: values.filter((value) => !Number.isNaN(value)) };
    }),
  );
}
