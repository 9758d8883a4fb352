/**
 * What an idle socket costs k6, printed as a table: `npm run memory --workspace loadtest`.
 * Resident memory of the k6 process with so many sockets, less that of one without any.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tie } from '../../gateway/test/tied.ts';
import { k6Program } from '../run/program.ts';
import { StockServer } from './server.ts';

/** Long enough for two heartbeats, after which Go has collected its garbage. */
const SECONDS = 12;
const HEARTBEAT_MS = 5000;
const SOCKETS = 2000;

/** @returns KiB that k6 has in memory once the sockets have been open for a while */
async function resident(
  url: string,
  client: string,
  sockets: number,
  vus: number,
): Promise<number> {
  const script = join(import.meta.dirname, 'scripts/hold.ts');
  const settings = { URL: url, CLIENT: client, SOCKETS: `${sockets}`, VUS: `${vus}` };
  const flags = ['--quiet', '--no-usage-report', '--summary-mode=disabled', '--address='];
  const k6 = tie(
    spawn(k6Program(), ['run', ...flags, script], {
      env: { ...process.env, ...settings, SECONDS: `${SECONDS + 5}` },
      stdio: ['ignore', 'ignore', 'pipe'],
    }),
  );
  let ready = 0;
  let output = '';
  k6.stderr!.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    ready = output.split('{\\"open\\":').length - 1;
  });
  while (ready < vus) {
    if (k6.exitCode !== null) throw new Error(output);
    await sleep(100);
  }
  await sleep(SECONDS * 1000);
  const status = readFileSync(`/proc/${k6.pid}/status`, 'utf8');
  k6.kill('SIGKILL');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
}

const server = await StockServer.start({ pingInterval: HEARTBEAT_MS, pingTimeout: 20_000 });
console.log(`${SOCKETS} sockets\nclient  VUs  KiB each`);
for (const vus of [1, 10]) {
  for (const client of ['bare', 'io']) {
    const without = await resident(server.url, client, 0, vus);
    const cost = ((await resident(server.url, client, SOCKETS, vus)) - without) / SOCKETS;
    console.log([client.padEnd(6), `${vus}`.padStart(4), cost.toFixed(1)].join(' '));
  }
}
await server.stop();
