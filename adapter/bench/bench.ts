import type { Extent } from '../../gateway/bench/measure.ts';
import { run } from '../../gateway/bench/program.ts';
import { type Row, cells, head } from './report.ts';
import { fanOut } from './scenarios/fan-out.ts';
import { memory } from './scenarios/memory.ts';
import { recovery } from './scenarios/recovery.ts';
import { steadyUnicast, tenNodes, unicast } from './scenarios/unicast.ts';

const scenarios: Record<string, (run: Extent) => Promise<Row[]>> = {
  unicast,
  'steady-unicast': steadyUnicast,
  'ten-nodes': tenNodes,
  'fan-out': fanOut,
  recovery,
  memory,
};

await run({
  about: `Measures the mailbox adapter against the stock streams adapter, interleaved, and prints medians.
Each runs in ordinary Socket.IO servers, in processes of their own, on a Redis of its own.

Usage: npm run bench -w adapter`,
  scenarios: Object.keys(scenarios),
  measure: async (names, extent) => {
    const rows: Row[] = [];
    for (const name of names) rows.push(...(await scenarios[name]!(extent)));
    return rows;
  },
  head,
  cells,
  json: '.cache/adapter-bench.json',
  marker: 'adapter bench',
  document: new URL('../../docs/performance.md', import.meta.url),
});
