/**
 * docs/metrics.md: every metric of ours with its type, labels and meaning. A node is started and
 * scraped, so that the page says what a node exposes.
 */
import { exposition, type Family } from '../gateway/dist/ops/exposition.js';
import '../gateway/dist/ops/metrics.js';
import { startNode } from '../gateway/test/node.ts';

/** @throws Error when a node exposes something else than its tables say */
export async function renderMetrics(): Promise<string> {
  const families = [...exposition.all()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  await compare(families);
  return [
    '# Metrics',
    '',
    '<!-- Written by `make generate` from gateway/src/ops/metrics*.ts, and compared with a node. -->',
    '',
    'The management port answers `/metrics`: the Prometheus text format, or OpenMetrics with exemplars of',
    'trace ids to whoever asks for it. Labels have few values: codes, reasons, outcomes; never users, rooms',
    'or names that clients make up. What has too many counts as `other`',
    '(`streamgate_metric_label_sets_refused`). Every metric is of one node; sum over nodes, unless it says',
    'that it is the same on all. Counters of codes begin with the first of them,',
    'but those of dead letters, where the first one matters.',
    '',
    'Beside these there are the usual ones of Node.js: `nodejs_eventloop_lag_p99_seconds`,',
    '`nodejs_heap_size_used_bytes`, `nodejs_gc_duration_seconds`, `process_cpu_seconds_total`,',
    '`process_resident_memory_bytes` and others.',
    '',
    '| metric | type | labels | unit | what it says |',
    '| --- | --- | --- | --- | --- |',
    ...families.map(
      ({ name, type, labels, help }) =>
        `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${unitOf(name)} | ${help.replaceAll('|', '\\|')} |`,
    ),
    '',
  ].join('\n');
}

/** By the suffix, as Prometheus names metrics. */
function unitOf(name: string): string {
  const base = name.replace(/_total$/, '');
  return ['seconds', 'bytes'].find((unit) => base.endsWith(`_${unit}`)) ?? '';
}

async function compare(families: readonly Family[]): Promise<void> {
  const node = await startNode();
  try {
    const text = await (await fetch(`${node.managementUrl}/metrics`)).text();
    const exposed = [...text.matchAll(/^# TYPE (streamgate_\w+) (\w+)$/gm)]
      .map(([, name, type]) => `${name} ${type}`)
      .toSorted();
    const listed = families.map(({ name, type }) => `${name} ${type}`).toSorted();
    const differing = [
      ...exposed.filter((each) => !listed.includes(each)),
      ...listed.filter((each) => !exposed.includes(each)),
    ];
    if (differing.length > 0) throw new Error(`a node exposes something else: ${differing.join()}`);
    for (const { name, labels } of families)
      for (const [, shown] of text.matchAll(new RegExp(`^${name}(?:_bucket)?\\{(.*)\\} `, 'gm'))) {
        const has = [...shown!.matchAll(/(\w+)="/g)].map(([, label]) => label!);
        const unknown = has.filter((label) => label !== 'le' && !labels.includes(label));
        if (unknown.length > 0) throw new Error(`${name} has labels that its table has not`);
      }
  } finally {
    await node.stop();
  }
}
