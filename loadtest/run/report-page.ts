import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Outcome } from './measured.ts';
import type { Head } from './report.ts';
import type { Sample } from './samples.ts';
import type { Result } from './tables.ts';

const uplot = (file: string) =>
  readFileSync(createRequire(import.meta.url).resolve(`uplot/dist/${file}`), 'utf8');
const MIB = 2 ** 20;

/** Lines over seconds. */
interface Chart {
  readonly title: string;
  readonly seconds: readonly number[];
  readonly lines: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
}

/** A page that needs nothing from elsewhere: the summary, and a chart of each thing that was looked at. */
export function page(head: Head, results: readonly Result[], summary: string): string {
  const charts = results.flatMap(({ name, outcomes }) =>
    outcomes.flatMap((outcome, round) =>
      chartsOf(outcome).map((chart) => ({
        ...chart,
        title: `${name}, ${outcome.candidate}, run ${round + 1}: ${chart.title}`,
      })),
    ),
  );
  // What stands in a script must not end it.
  const data = JSON.stringify(charts).replaceAll('<', String.raw`\u003c`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Load test ${head.time}</title>
<style>
${uplot('uPlot.min.css')}
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
pre { overflow-x: auto; font-size: 12px; background: #f6f6f6; padding: 1rem; }
#charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(30rem, 1fr)); gap: 1.5rem; }
</style>
<h1>Load test</h1>
<pre>${summary.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</pre>
<p>What k6 saw over time stands in <code>k6.html</code> of each run's folder.</p>
<div id="charts"></div>
<script>
${uplot('uPlot.iife.min.js')}
const colours = ['#1f77b4', '#ff7f0e', '#2ca02c', '#d62728', '#9467bd', '#8c564b'];
for (const { title, seconds, lines } of ${data}) {
  const series = lines.map(({ name }, at) => ({ label: name, stroke: colours[at % colours.length], width: 2 }));
  const options = {
    title, width: 480, height: 240, series: [{ label: 'second' }, ...series], scales: { x: { time: false } },
  };
  new uPlot(options, [seconds, ...lines.map(({ values }) => values)], document.getElementById('charts'));
}
</script>
</html>
`;
}

function chartsOf({ samples }: Outcome): Chart[] {
  const during = samples.filter(({ second }) => second >= 0);
  if (during.length < 2) return [];
  const seconds = during.map(({ second }) => Math.round(second * 10) / 10);
  const numbers = [...new Set(during.flatMap(({ nodes }) => nodes.map((node) => node.number)))];
  type NodeUse = Sample['nodes'][number];
  const ofNodes = (value: (node: NodeUse) => number | undefined) =>
    numbers.map((number) => ({
      name: `node ${number}`,
      values: during.map(({ nodes }) => {
        const node = nodes.find((each) => each.number === number);
        return (node && value(node)) ?? null;
      }),
    }));
  const all: Chart[] = [
    {
      title: 'processors',
      seconds,
      lines: [
        ...ofNodes(({ cpu }) => cpu),
        { name: 'Redis', values: during.map(({ redis }) => redis?.cpu ?? null) },
        { name: 'k6', values: during.map(({ k6 }) => k6?.cpu ?? null) },
      ],
    },
    {
      title: 'memory of nodes, MiB',
      seconds,
      lines: ofNodes(({ rssBytes }) => rssBytes / MIB),
    },
    {
      title: 'share of the machine that worked',
      seconds,
      lines: [
        { name: 'all', values: during.map(({ machine }) => machine) },
        { name: 'others than this run', values: during.map(({ others }) => others) },
      ],
    },
    { title: 'sessions', seconds, lines: ofNodes(({ own }) => own['sessions']) },
  ];
  return all.filter(({ lines }) =>
    lines.some(({ values }) => values.some((each) => each !== null)),
  );
}
