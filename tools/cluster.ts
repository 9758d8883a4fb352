/** `make cluster`: a Redis of its own (or STREAMGATE_REDIS_URL) and three gateway nodes on it. */
import { ConfigError, readConfig } from '../gateway/dist/config.js';
import { Cluster, linesOf, untilSignal } from './cluster-parts.ts';
import { developmentDefaults, tokenLines } from './development.ts';

const env = { ...process.env, ...developmentDefaults(process.env) };
const cluster = new Cluster(env);

async function begin(): Promise<void> {
  // Its faults once, and not by each node.
  const config = readConfig({ STREAMGATE_REDIS_URL: 'redis://ours', ...env });
  await cluster.start();
  console.log(`
Three nodes are up on ${new URL(cluster.redisUrl).host}. Ctrl-C stops them.

${linesOf(cluster.nodes)}
${config.console === 'on' ? 'Each has its console at /console.\n' : ''}
${(await tokenLines(config)) ?? 'Tokens come from your issuer.\n'}`);
}

try {
  await untilSignal(
    begin,
    (signal) => cluster.stop(signal),
    (signal) => cluster.hurry(signal),
  );
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : error);
  process.exit(1);
}
