import { Load } from './load/driver.js';
import type { Row, Run } from './measure.js';
import { run } from './program.js';
import { cells, head, judged } from './report.js';
import { acks } from './scenarios/acks.js';
import { chat } from './scenarios/chat.js';
import { connects } from './scenarios/connects.js';
import { door } from './scenarios/door.js';
import { fanOut } from './scenarios/fan-out.js';
import { idleHeap } from './scenarios/idle-heap.js';
import { metrics } from './scenarios/metrics.js';
import { tracing } from './scenarios/tracing.js';
import { steadyUnicast, unicast } from './scenarios/unicast.js';

const scenarios: Record<string, (run: Run) => Promise<Row[]>> = {
  heap: idleHeap,
  connects,
  acks,
  'fan-out': fanOut,
  unicast,
  'steady-unicast': steadyUnicast,
  door,
  chat,
  metrics,
  tracing,
};

await run({
  about: `Measures the gateway against a stock Nest + Socket.IO gateway, interleaved, and prints medians.

Usage: npm run bench`,
  scenarios: Object.keys(scenarios),
  measure: async (names, extent) => {
    const load = new Load();
    const rows: Row[] = [];
    for (const name of names) rows.push(...(await scenarios[name]!({ ...extent, load })));
    await load.stop();
    return rows.map(judged);
  },
  head,
  cells,
  json: 'gateway/bench/results/latest.json',
  marker: 'bench',
  document: new URL('../../../docs/performance.md', import.meta.url),
});
