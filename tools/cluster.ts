/** `make cluster`: a Redis of its own (or STREAMGATE_REDIS_URL) and three gateway nodes on it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, readConfig } from '../gateway/dist/config.js';
import { developmentDefaults, freePort, tokenLines } from './development.ts';

const here = import.meta.dirname;
const nodes: ChildProcess[] = [];
let stopRedis = async () => {};

let stopping: Promise<void> | undefined;

/** Nodes first, so that they take leave of Redis while it is there. */
async function stop(signal: NodeJS.Signals): Promise<void> {
  const running = nodes.filter(isRunning);
  for (const node of running) node.kill(signal);
  await Promise.all(running.map((node) => once(node, 'exit')));
  await stopRedis();
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/** Starts redis-server with its data in a folder of its own; returns its URL. */
async function startRedis(): Promise<string> {
  execFileSync(join(here, 'ensure'), ['redis-server'], { stdio: 'inherit' });
  // Where redis-cli looks.
  const port = await freePort(6379);
  const dir = mkdtempSync(join(tmpdir(), 'streamgate-redis-'));
  const options = { port, dir, bind: '127.0.0.1', appendonly: 'yes', loglevel: 'warning' };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  // Detached, so that a Ctrl-C does not take it away from under the nodes.
  const redis = spawn('redis-server', args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    detached: true,
  });
  stopRedis = async () => {
    if (isRunning(redis) && redis.kill('SIGTERM')) await once(redis, 'exit');
    rmSync(dir, { recursive: true, force: true });
  };
  return `redis://127.0.0.1:${port}`;
}

/** Starts a node; returns its URLs when it says that it is ready. */
async function startNode(index: number, env: NodeJS.ProcessEnv): Promise<string> {
  const port = await freePort(3000 + index);
  const managementPort = await freePort(9464 + index);
  const program = ['start-tracing.js', 'main.js'].map((file) =>
    join(here, '../gateway/dist', file),
  );
  const node = spawn(process.execPath, ['--import', ...program], {
    env: {
      ...env,
      STREAMGATE_HTTP_PORT: String(port),
      STREAMGATE_MANAGEMENT_PORT: String(managementPort),
    },
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  nodes.push(node);
  node.once('exit', (code, signal) => console.log(`node ${index + 1} ended (${signal ?? code})`));
  const managementUrl = `http://localhost:${managementPort}`;
  while (!(await isReady(managementUrl))) {
    if (!isRunning(node)) throw new Error(`node ${index + 1} did not start`);
    await sleep(100);
  }
  return `node ${index + 1}   http://localhost:${port}   management ${managementUrl}   pid ${node.pid}`;
}

async function isReady(managementUrl: string): Promise<boolean> {
  try {
    return (await fetch(`${managementUrl}/health/ready`)).ok;
  } catch {
    return false; // it does not listen yet
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // A second one hurries the nodes.
    if (stopping) for (const node of nodes.filter(isRunning)) node.kill(signal);
    else stopping = stop(signal).then(() => process.exit(0));
  });
}

try {
  const env = { ...process.env, ...developmentDefaults(process.env) };
  env.STREAMGATE_REDIS_URL ||= await startRedis();
  const config = readConfig(env);
  const urls = await Promise.all([0, 1, 2].map((index) => startNode(index, env)));
  console.log(`
Three nodes are up on ${new URL(env.STREAMGATE_REDIS_URL).host}. Ctrl-C stops them.

${urls.join('\n')}
${config.console === 'on' ? 'Each has its console at /console.\n' : ''}
${(await tokenLines(config)) ?? 'Tokens come from your issuer.\n'}`);
} catch (error) {
  await (stopping ??= stop('SIGINT'));
  console.error(error instanceof ConfigError ? error.message : error);
  process.exit(1);
}
