import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../../gateway/test/client.ts';
import { batch, core } from '../kit/cluster.ts';
import { evidence } from '../kit/evidence.ts';
import { Gateway, PATIENCE_MS } from '../kit/gateway.ts';
import { run } from '../kit/programs.ts';
import { setting } from '../kit/settings.ts';

const LOAD = { sessions: 100, rate: 50, seconds: 15 };
/** Speed is not the subject, and other cases run beside this one. */
const DELIVERY_MS = 5000;
const JOB = 'streamgate-load-unicast';

const show = evidence(9, 'The load test as a Job in the cluster');
let gateway: Gateway;

beforeAll(async () => {
  gateway = await Gateway.install('load-job');
});
afterAll(() => gateway.remove());

test('the Job that loadtest/README.md makes ends well', async () => {
  const { namespace } = gateway;
  const settings = { ...LOAD, delivery: DELIVERY_MS, image: setting('E2E_K6_IMAGE') };
  const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const manifests = ['run', '--silent', 'manifests', '--workspace', 'loadtest', '--'];
  const objects = await run('npm', [...manifests, '--scenario', 'unicast', ...options]);
  const began = Date.now();
  await run('kubectl', ['-n', namespace, 'apply', '-f', '-'], objects);
  const ended = await eventually(progress, (job) => job.succeeded + job.failed > 0, PATIENCE_MS);
  const seconds = Math.round((Date.now() - began) / 1000);
  const log = await run('kubectl', ['-n', namespace, 'logs', `job/${JOB}`]);
  expect(ended, log).toMatchObject({ succeeded: 1, failed: 0 });

  expect(log).not.toContain("✗ '");
  const deliveries = {
    sent: count(log, 'load_sent'),
    received: count(log, 'load_received'),
    lost: count(log, 'load_lost'),
    doubled: count(log, 'load_doubled'),
    outOfOrder: count(log, 'load_out_of_order'),
  };
  const sent = LOAD.rate * LOAD.seconds;
  expect(deliveries).toEqual({ sent, received: sent, lost: 0, doubled: 0, outOfOrder: 0 });
  const kept = log.split('\n').filter((line) => line.includes("✓ '")).length;
  const slowest = /load_delivery\.*: .*?p\(99\)=(\S+)/.exec(log)?.[1];
  show(
    `${LOAD.sessions} sessions for ${LOAD.seconds} s, in a namespace that enforces \`restricted\`: succeeded after ${seconds} s, ${kept} thresholds kept, none crossed`,
  );
  show(
    `${deliveries.received} deliveries of ${sent}: ${deliveries.lost} lost, ${deliveries.doubled} doubled, ${deliveries.outOfOrder} out of order; 99 % within ${slowest} (bound ${DELIVERY_MS} ms)`,
  );
});

/** How far the Job is, and why its pod does not run. */
async function progress(): Promise<{ succeeded: number; failed: number; waits: string[] }> {
  const { namespace } = gateway;
  const { status } = await batch.readNamespacedJobStatus({ namespace, name: JOB });
  const pods = await core.listNamespacedPod({ namespace, labelSelector: `job-name=${JOB}` });
  const waits = pods.items.flatMap(({ status: pod }) => [
    ...(pod?.conditions ?? []).map(({ message }) => message),
    ...(pod?.containerStatuses ?? []).map(({ state }) => state?.waiting?.message),
  ]);
  return {
    succeeded: status?.succeeded ?? 0,
    failed: status?.failed ?? 0,
    waits: waits.filter((wait) => wait !== undefined),
  };
}

/** A counter of the summary at the end of k6's log. */
function count(log: string, metric: string): number {
  return Number(new RegExp(`${metric}\\.*: (\\d+)`).exec(log)?.[1]);
}
