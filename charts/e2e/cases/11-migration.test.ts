import { afterAll, beforeAll, expect, test } from 'vitest';
import { Conversation } from '../kit/chat.ts';
import { evidence } from '../kit/evidence.ts';
import { Gateway } from '../kit/gateway.ts';
import { DATABASE_SECRET, select, startPostgres } from '../kit/postgres.ts';

/** As `helm status -o json` has it. */
interface Hook {
  name: string;
  kind: string;
  last_run: { phase: string };
}

const show = evidence(11, 'Chat on the PostgreSQL of k8s/postgres, with the migration');
let gateway: Gateway;

beforeAll(async () => {
  gateway = await Gateway.prepare('migration', {
    chat: { enabled: true },
    database: { existingSecret: DATABASE_SECRET },
  });
  await startPostgres(gateway.namespace);
});
afterAll(() => gateway.remove());

test('a Job brings the schema before the first pod', async () => {
  const { namespace } = gateway;
  await gateway.upgrade();
  await gateway.settled(3);
  const status = await gateway.helm(4, 'status', 'streamgate', '-o', 'json');
  const { hooks } = JSON.parse(status) as { hooks: Hook[] };
  const job = hooks.find(({ name }) => name === 'streamgate-migrate');
  expect(job).toMatchObject({ kind: 'Job', last_run: { phase: 'Succeeded' } });

  // Pods migrate too if need be, so that there is a schema says nothing of the Job.
  const steps = await select(
    namespace,
    'select floor(extract(epoch from applied_at)) from streamgate.migrations',
  );
  const created = (await gateway.pods()).map(({ metadata }) => Number(metadata?.creationTimestamp));
  const lead = Math.min(...created) / 1000 - Math.max(...steps.map(Number));
  expect(steps).not.toEqual([]);
  expect(lead).toBeGreaterThanOrEqual(0);

  await gateway.answers();
  const conversation = await Conversation.begin(gateway);
  const messages = await conversation.exchange('hello');
  conversation.close();
  show(
    `the Job streamgate-migrate succeeded, the schema is at step ${steps.length}, and ${lead} s older than the first pod; two clients chat: ${messages} messages`,
  );
});
