import { stringify } from 'yaml';
import type { Alert } from './alerts/alert.ts';
import { foreignAlerts } from './alerts/foreign.ts';
import { nodeAlerts } from './alerts/nodes.ts';
import { OBJECTIVES, WINDOWS, errorRatio, sloAlerts } from './alerts/slo.ts';
import { registryAlerts } from './alerts/registry.ts';
import { surroundingAlerts } from './alerts/surroundings.ts';
import { RUNBOOKS } from './runbooks.ts';

/** What breaks promises sooner or later, and what broke them. */
const causeAlerts: readonly Alert[] = [...nodeAlerts, ...registryAlerts, ...surroundingAlerts];

/** Every alert; several may share a name. */
export const ALERTS: readonly Alert[] = [...sloAlerts, ...causeAlerts, ...foreignAlerts];

/** The rules as Prometheus reads them (`rule_files`), and as a PrometheusRule's `spec`. */
export function renderRules(): string {
  const recorded = OBJECTIVES.flatMap(({ id, bad, all }) =>
    WINDOWS.map((window) => ({
      record: errorRatio(id, window),
      // Without a fault there is no series of faults.
      expr: `(${bad(window)} or 0 * ${all(window)}) / (${all(window)} > 0)`,
    })),
  );
  const groups = [
    { name: 'streamgate-recorded', rules: recorded },
    { name: 'streamgate-objectives', rules: sloAlerts.map(ruleOf) },
    { name: 'streamgate-causes', rules: causeAlerts.map(ruleOf) },
    { name: 'streamgate-foreign', rules: foreignAlerts.map(ruleOf) },
  ];
  return `# Written by \`make generate\` from dashboards/src/alerts.\n${stringify({ groups }, { lineWidth: 0 })}`;
}

function ruleOf({ name, severity, expr, for: lasting, labels, summary }: Alert) {
  return {
    alert: name,
    expr,
    ...(lasting !== undefined && { for: lasting }),
    labels: { severity, ...labels },
    annotations: { summary, runbook_url: `${RUNBOOKS}/${name}.md` },
  };
}

/**
 * The tests of promtool: every alert fires with one set of series and does not with the other.
 * @param rules path of the rules
 * @returns those of objectives, whose windows are days, evaluate rarely: each looks at all of them
 */
export function renderRuleTests(rules: string): Readonly<Record<'objectives' | 'causes', string>> {
  const fileOf = (alerts: readonly Alert[], evaluation_interval: string) =>
    stringify({
      rule_files: [rules],
      // What is recorded is five minutes old at most when an alert looks at it.
      group_eval_order: ['streamgate-recorded', 'streamgate-objectives'],
      evaluation_interval,
      tests: alerts.flatMap(testsOf),
    });
  return {
    objectives: fileOf(sloAlerts, '30m'),
    causes: fileOf([...causeAlerts, ...foreignAlerts], '1m'),
  };
}

function testsOf({ name, severity, labels, proof }: Alert) {
  const window = labels?.['window'];
  const matchers = [`alertname="${name}"`, `severity="${severity}"`, 'alertstate="firing"'];
  if (window !== undefined) matchers.push(`window="${window}"`);
  return [true, false].map((fires) => ({
    name: `${name} ${window ?? ''} ${fires ? 'fires' : 'does not fire'}`,
    interval: '1m',
    input_series: fires ? proof.fires : proof.silent,
    // That it fires at all is looked at; its labels and words are in the rules.
    promql_expr_test: [
      {
        expr: `count(ALERTS{${matchers.join(',')}}) or vector(0)`,
        eval_time: proof.at,
        exp_samples: [{ labels: '{}', value: fires ? 1 : 0 }],
      },
    ],
  }));
}

/** A page of `docs/runbooks/`. */
export function renderRunbook({ name, severity, expr, for: lasting, runbook }: Alert): string {
  const { meaning, impact, checks, fix, escalation } = runbook;
  const of = ALERTS.filter((alert) => alert.name === name);
  const when = of.length > 1 ? of.map((alert) => alert.expr) : [expr];
  return [
    `# ${name}`,
    '',
    '<!-- Written by `make generate` from dashboards/src/alerts. -->',
    '',
    of.length > 1
      ? `Severity: ${[...new Set(of.map((alert) => alert.severity))].join(', ')}, by how fast the budget burns.`
      : `Severity: ${severity}${lasting === undefined ? '' : `, after ${lasting}`}.`,
    '',
    ...when.flatMap((each) => ['```promql', each, '```', '']),
    '## Meaning',
    '',
    meaning,
    '',
    '## Impact',
    '',
    impact,
    '',
    '## First checks',
    '',
    ...checks.flatMap(({ run, says }, index) => [
      `${index + 1}. ${says}`,
      '',
      '   ```',
      `   ${run}`,
      '   ```',
      '',
    ]),
    '## Fix',
    '',
    ...fix.map((step) => `- ${step}`),
    '',
    '## Escalation',
    '',
    escalation,
    '',
  ].join('\n');
}
