/**
 * `npm run -s prove-boards`: boards and alerts on a real Prometheus, with three nodes under load and faults
 * brought about. Says panel by panel and alert by alert what was seen; the exit status is 1 when something
 * is missing.
 */
import { untilSignal } from './cluster-parts.ts';
import { FAULTS } from './observe/faults.ts';
import { prove } from './observe/proof.ts';
import { rules, shortened } from './observe/rules.ts';
import { Stage } from './observe/stage.ts';

const SECONDS = 1;
const FACTOR = 30;
const stage = new Stage({
  env: process.env,
  rules: shortened(rules(), FACTOR, 5 * SECONDS),
  seconds: SECONDS,
});

await untilSignal(
  async () => {
    console.log(
      `Scraped every ${SECONDS} s; windows and waiting times of alerts are ${FACTOR} times shorter.`,
    );
    const start = performance.now();
    await stage.start();
    const missing = await prove(stage, {
      seconds: SECONDS,
      healthySeconds: 60,
      faults: FAULTS,
      say: console.log,
    });
    await stage.stop();
    const seconds = Math.round((performance.now() - start) / 1000);
    console.log(
      `\n${missing.length === 0 ? 'All was seen' : `${missing.length} missing`} in ${seconds} s; the nodes' log is ${stage.log}`,
    );
    for (const what of missing) console.log(`  missing: ${what}`);
    process.exit(missing.length > 0 ? 1 : 0);
  },
  (signal) => stage.stop(signal),
  (signal) => stage.cluster.hurry(signal),
);
