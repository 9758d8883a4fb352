/**
 * `npm run -s prove-boards`: boards and alerts on a real Prometheus, with three nodes under load and faults
 * brought about. Says panel by panel and alert by alert what was seen; the exit status is 1 when something
 * is missing.
 */
import { untilSignal } from './cluster-parts.ts';
import { FAULTS, QUIET } from './observe/faults.ts';
import { prove } from './observe/proof.ts';
import { rules, shortened } from './observe/rules.ts';
import { Stage } from './observe/stage.ts';

const SECONDS = 1;
const FACTOR = 30;
/** Whatever is waited for. */
const LIMIT_MS = 720_000;
const stage = new Stage({
  env: process.env,
  rules: shortened(rules(), FACTOR, 5 * SECONDS),
  seconds: SECONDS,
});

async function begin(): Promise<void> {
  console.log(
    `Scraped every ${SECONDS} s; windows and waiting times of alerts are ${FACTOR} times shorter.`,
  );
  await stage.start();
  const start = performance.now();
  setTimeout(() => void end(['the end, within twelve minutes']), LIMIT_MS).unref();
  const missing = await prove(stage, {
    seconds: SECONDS,
    healthySeconds: 60,
    faults: FAULTS,
    quiet: QUIET,
    say: console.log,
  });
  console.log(`\nLooked for ${Math.round((performance.now() - start) / 1000)} s`);
  await end(missing);
}

async function end(missing: readonly string[]): Promise<void> {
  const isBad = missing.length > 0;
  for (const what of missing) console.log(`missing: ${what}`);
  console.log(isBad ? `The log of the nodes is ${stage.log}` : 'All was seen');
  await stage.stop('SIGINT', isBad);
  process.exit(isBad ? 1 : 0);
}

await untilSignal(
  begin,
  (signal) => stage.stop(signal),
  (signal) => stage.hurry(signal),
);
