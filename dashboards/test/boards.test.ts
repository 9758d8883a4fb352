import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Board, Panel } from '../src/board.ts';
import { BOARDS } from '../src/files.ts';
import { dashboardOf } from '../src/grafana.ts';
import { ALERTS } from '../src/rules.ts';

/**
 * The rules of Grafana's dashboard-linter 0.2 (https://github.com/grafana/dashboard-linter/tree/main/docs/rules),
 * by their names there, and what we want beside them.
 */

/** Names and labels of our metrics, and those of Node.js and Prometheus that boards use. */
const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
const METRICS = new Map(
  [...page.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, name, type]) => [name!, type!]),
);
const OTHERS = /^(up|process_|nodejs_|kube_|certmanager_|ALERTS)/;

const panelsOf = (board: Board) => board.rows.flatMap(({ panels }) => panels);
const each = BOARDS.flatMap((board) =>
  panelsOf(board).map((panel): [string, Panel] => [`${board.title}: ${panel.title}`, panel]),
);

test.each(BOARDS)('$title: its variables', (board) => {
  const { templating, editable, links } = dashboardOf(board);
  const list = templating.list as unknown as Record<string, unknown>[];
  expect(list.map(({ name }) => name)).toEqual(['datasource', 'namespace', 'job', 'instance']);
  // template-datasource-rule
  expect(list[0]).toMatchObject({ type: 'datasource', query: 'prometheus', label: 'Data source' });
  // template-job-rule, template-instance-rule, template-on-time-change-reload-rule
  for (const [name, label] of [
    ['job', 'Job'],
    ['instance', 'Instance'],
  ])
    expect(list.find((variable) => variable['name'] === name)).toMatchObject({
      type: 'query',
      datasource: { type: 'prometheus', uid: '${datasource}' },
      label,
      multi: true,
      includeAll: true,
      allValue: '.+',
      refresh: 2,
    });
  // uneditable-dashboard-rule
  expect(editable).toBe(false);
  expect(links).toHaveLength(1);
});

test('panels have names of their own on a board', () => {
  for (const board of BOARDS) {
    const ids = panelsOf(board).map(({ title, kind }) => `${kind} ${title}`);
    expect(new Set(ids).size, board.title).toBe(ids.length);
  }
});

test.each(each)('%s: is described, has a unit and queries', (_, panel) => {
  // panel-title-description-rule, panel-units-rule, panel-no-targets-rule
  expect(panel.description).toMatch(/^[A-Z0-9a-z].{20,}[.,]?$/s);
  expect(panel.unit).not.toBe('');
  expect(panel.queries.length).toBeGreaterThan(0);
  if (panel.runbook !== undefined) expect(ALERTS.map(({ name }) => name)).toContain(panel.runbook);
});

test.each(each)('%s: its queries', (_, panel) => {
  for (const { expr } of panel.queries) {
    const selectors = [...expr.matchAll(/(\b[a-zA-Z_]\w*)\{([^}]*)\}/g)];
    expect(selectors.length, expr).toBeGreaterThan(0);
    for (const [, metric, labels] of selectors) {
      // target-job-rule, target-instance-rule
      expect(labels, expr).toContain('job=~"$job"');
      expect(labels, expr).toContain('instance=~"$instance"');
      const family = metric!.replace(/_(bucket|sum|count)$/, '');
      const type = METRICS.get(metric!) ?? METRICS.get(family);
      expect(type ?? (OTHERS.test(metric!) ? 'other' : undefined), metric).toBeDefined();
      // target-counter-agg-rule: a counter by itself says nothing.
      if (type === 'counter' || type === 'histogram')
        expect(expr).toMatch(new RegExp(`(rate|increase|changes)\\(${metric}\\{`));
    }
    // target-rate-interval-rule
    for (const [, window] of expr.matchAll(/rate\([^[]*\[([^\]]+)\]/g))
      expect(window).toBe('$__rate_interval');
  }
});

test('alerts and recorded ratios are of metrics that there are', () => {
  for (const { name, expr, proof } of ALERTS)
    for (const text of [expr, ...proof.fires.map(({ series }) => series)])
      for (const [metric] of text.matchAll(/\b(streamgate|nodejs|process)_\w+/g)) {
        const family = metric.replace(/_(bucket|sum|count)$/, '');
        expect(
          METRICS.has(metric) || METRICS.has(family) || OTHERS.test(metric),
          `${name}: ${metric}`,
        ).toBe(true);
      }
});

test('what is made has ids, places and no empty panel', () => {
  for (const board of BOARDS) {
    const { panels = [] } = dashboardOf(board) as unknown as {
      panels?: { type: string; gridPos: { w: number; x: number }; targets?: unknown[] }[];
    };
    expect(panels.filter(({ type }) => type !== 'row')).toHaveLength(panelsOf(board).length);
    for (const { type, gridPos, targets } of panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      if (type !== 'row') expect(targets?.length).toBeGreaterThan(0);
    }
  }
});
