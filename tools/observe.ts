/** `make observe`: three nodes under a small load, Prometheus with our rules, and Grafana where it is on PATH. */
import { ConfigError } from '../gateway/dist/config.js';
import { linesOf, untilSignal } from './cluster-parts.ts';
import { type Grafana, startGrafana } from './observe/grafana.ts';
import { rules } from './observe/rules.ts';
import { Stage } from './observe/stage.ts';

const stage = new Stage({ env: process.env, rules: rules(), seconds: 5 });
let grafana: Grafana | undefined;

async function begin(): Promise<void> {
  console.log('Starting; it takes about a minute, and some more the first time.');
  await stage.start();
  const { cluster, prometheus, log } = stage;
  grafana = await startGrafana(prometheus.url);
  console.log(`
Three nodes are under load. Ctrl-C stops all.

Prometheus   ${prometheus.url}/api/v1/query?query=ALERTS
Grafana      ${grafana?.url ?? 'not on PATH; import dashboards/grafana/*.json into yours'}
${linesOf(cluster.nodes)}
Redis    ${cluster.redisUrl}   pid ${cluster.redis?.pid ?? 'unknown'}
Log of the nodes   ${log}

Try what boards and alerts say of it (alerts wait for minutes, as in production):
  kill -STOP <pid of Redis>, and kill -CONT
  kill -9 <pid of a node>
`);
}

async function stop(signal: NodeJS.Signals): Promise<void> {
  await Promise.all([grafana?.stop(), stage.stop(signal)]);
}

try {
  await untilSignal(begin, stop, (signal) => stage.hurry(signal));
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : error);
  process.exit(1);
}
