import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueColorMode,
  LegendDisplayMode,
  LegendPlacement,
  VizLegendOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardBuilder,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  MappingType,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  AnnotationQueryBuilder,
  type Dashboard,
  type Panel as GrafanaPanel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as HeatmapBuilder } from '@grafana/grafana-foundation-sdk/heatmap';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { type Board, type Panel, of } from './board.ts';
import { RUNBOOKS } from './runbooks.ts';

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const TAG = 'streamgate';

/** A board as Grafana imports it: the classic JSON of a dashboard. */
export function dashboardOf({ uid, title, description, rows }: Board): Dashboard {
  const builder = new DashboardBuilder(`Streamgate / ${title}`)
    .uid(uid)
    .description(description)
    .tags([TAG])
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .timezone('browser')
    .readonly()
    .link(
      new DashboardLinkBuilder('Streamgate')
        .type(DashboardLinkType.Dashboards)
        .tags([TAG])
        .asDropdown(false)
        .includeVars(true)
        .keepTime(true),
    )
    .variables([
      new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
      // Without Kubernetes there is no such label: what is absent matches, too.
      chosen('namespace', 'Namespace', 'label_values(streamgate_build_info, namespace)', '.*'),
      chosen('job', 'Job', 'label_values(streamgate_build_info{namespace=~"$namespace"}, job)'),
      chosen(
        'instance',
        'Instance',
        'label_values(streamgate_build_info{namespace=~"$namespace", job=~"$job"}, instance)',
      ),
    ])
    .annotations([
      marked('Releases', `time() - ${of('process_start_time_seconds')} < 60`, 'blue'),
      marked('Drains', `max by (instance) (${of('streamgate_draining')}) == 1`, 'orange'),
    ]);
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(panelOf(panel));
  }
  return builder.build();
}

/** As dashboards of mixins have it: of several all, or those that were chosen. */
function chosen(name: string, label: string, query: string, all = '.+') {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query({ query, refId: `variable-${name}` })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue(all)
    .current({ text: 'All', value: '$__all' });
}

function marked(name: string, expr: string, color: string) {
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(DATASOURCE)
    .expr(expr)
    .titleFormat(name)
    .textFormat('{{instance}}')
    .iconColor(color)
    .enable(true);
}

const HEIGHTS = { stat: 4, timeseries: 8, heatmap: 8 } as const;
const WIDTHS = { stat: 4, timeseries: 8, heatmap: 8 } as const;

function panelOf(panel: Panel): Builder<GrafanaPanel> {
  const builder = { stat, timeseries, heatmap }[panel.kind](panel);
  const { kind, title, description, unit, width = WIDTHS[kind], runbook } = panel;
  builder
    .title(title)
    .description(description)
    .unit(unit)
    .datasource(DATASOURCE)
    .height(HEIGHTS[kind])
    .span(width)
    .targets(panel.queries.map(({ expr, legend }) => targetOf(panel, expr, legend)));
  if (runbook !== undefined)
    builder.links([
      new DashboardLinkBuilder('Runbook')
        .type(DashboardLinkType.Link)
        .url(`${RUNBOOKS}/${runbook}.md`)
        .targetBlank(true),
    ]);
  return builder;
}

function targetOf({ kind }: Panel, expr: string, legend: string) {
  const builder = new DataqueryBuilder().expr(expr).legendFormat(legend).datasource(DATASOURCE);
  if (kind === 'heatmap') return builder.format(PromQueryFormat.Heatmap).range().exemplar(true);
  return kind === 'stat' ? builder.instant() : builder.range();
}

function stat(panel: Panel) {
  const { values = {} } = panel;
  const options = Object.fromEntries(
    Object.entries(values).map(([value, text], index) => [value, { text, index }]),
  );
  return new StatBuilder()
    .colorMode(BigValueColorMode.Value)
    .thresholds(thresholds(panel))
    .mappings(Object.keys(values).length > 0 ? [{ type: MappingType.ValueToText, options }] : []);
}

function timeseries(panel: Panel) {
  const builder = new TimeseriesBuilder()
    .min(0)
    .lineWidth(1)
    .fillOpacity(10)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    );
  return panel.thresholds ? builder.thresholds(thresholds(panel)) : builder;
}

function heatmap(_panel: Panel) {
  return new HeatmapBuilder().calculate(false).cellGap(1).showLegend();
}

function thresholds({ thresholds: limits }: Panel) {
  const steps = !limits
    ? [{ color: 'green', value: null }]
    : limits.falling
      ? [
          { color: 'red', value: null },
          ...(limits.bad < limits.warn ? [{ color: 'yellow', value: limits.bad }] : []),
          { color: 'green', value: limits.warn },
        ]
      : [
          { color: 'green', value: null },
          { color: 'yellow', value: limits.warn },
          { color: 'red', value: limits.bad },
        ];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}
