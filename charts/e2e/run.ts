/**
 * `make e2e`: the chart on the cluster of KUBECONFIG. Every case has to pass; whatever is missing fails.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isCi, printFailures, runTests } from '../../tools/run-tests.ts';
import { forgetEvidence } from './kit/evidence.ts';
import { root } from './kit/programs.ts';
import { settingsHelp } from './kit/settings.ts';
import { writeVerification } from './verification.ts';

const HELP = `Tests the chart on a real cluster: installs it in namespaces e2e-*, connects clients, breaks things.

  make e2e                    all cases, then writes docs/platform/verification.md
  npm run e2e -- 3 5          cases 3 and 5

Needed: kubectl with a cluster of your own (KUBECONFIG) where you may make namespaces; in it Traefik, metrics-server,
Prometheus and prometheus-adapter; the images below, and those that values-dev.yaml and k8s/postgres name; Chromium.
helm 4 and helm 3 are built unless they are there.

${settingsHelp()}
  CI=1               docs/platform/verification.md is left alone, the summary is printed only; the files of at
                     most three failed tests run once more

With kind: make kind, docker build -t streamgate:e2e . && kind load docker-image streamgate:e2e --name streamgate
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean', short: 'h' } },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const { error, status, stderr } = spawnSync('kubectl', ['get', '--raw', '/readyz'], {
  encoding: 'utf8',
});
if (error ?? status !== 0) {
  process.stderr.write(
    `no cluster: ${error?.message ?? stderr.trim()}; see npm run e2e -- --help\n`,
  );
  process.exit(1);
}
const { status: ensured } = spawnSync(join(root, 'tools/ensure'), ['chromium'], {
  stdio: 'inherit',
});
if (ensured !== 0) process.exit(1);

forgetEvidence();
const began = Date.now();
const config = join(import.meta.dirname, 'vitest.config.ts');
const cases = positionals.map((number) => `cases/${number}-`);
const judged = await runTests('e2e', [`--config=${config}`], cases);
const passed = judged.failed === 0;
const minutes = ((Date.now() - began) / 60_000).toFixed(1);
printFailures(judged);
if (passed) writeVerification(minutes, positionals.length === 0 && !isCi);
process.stdout.write(`e2e ${passed ? 'passed' : 'FAILED'} in ${minutes} min\n`);
process.exitCode = passed ? 0 : 1;
