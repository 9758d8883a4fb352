/** Prints manifests that run a scenario in a cluster. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { IMAGE, manifestsOf } from './kubernetes.ts';

const HELP = `Prints manifests that run a scenario in a cluster:

  npm run --silent manifests --workspace loadtest -- --scenario unicast | kubectl apply -f -

  --scenario     name of a file in loadtest/scenarios (unicast)
  --kind         job: one pod; testrun: several, of k6-operator (job)
  --parallelism  pods of a testrun (1)
  --url          of the gateway, as pods see it (http://streamgate)
  --secret       that signs tokens: Secret/key (streamgate/STREAMGATE_JWT_SECRET)
  --sessions     people who connect (1000)
  --rate         events a second (100)
  --seconds      of load (60)
  --delivery     within so many ms 99 % of deliveries have to be, in unicast and room (250)
  --image        of k6 (${IMAGE})
  --namespace    of all objects; unset: that of kubectl
`;

const { values } = parseArgs({
  options: {
    scenario: { type: 'string', default: 'unicast' },
    kind: { type: 'string', default: 'job' },
    parallelism: { type: 'string', default: '1' },
    url: { type: 'string', default: 'http://streamgate' },
    secret: { type: 'string', default: 'streamgate/STREAMGATE_JWT_SECRET' },
    sessions: { type: 'string', default: '1000' },
    rate: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '60' },
    delivery: { type: 'string', default: '250' },
    image: { type: 'string', default: IMAGE },
    namespace: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const { scenario, kind, namespace } = values;
if (!readdirSync(join(import.meta.dirname, '../scenarios')).includes(`${scenario}.ts`)) {
  throw new Error(`no scenario ${scenario}`);
}
if (kind !== 'job' && kind !== 'testrun') throw new Error(`--kind is job or testrun, not ${kind}`);
const [name = '', key = ''] = values.secret.split('/');

process.stdout.write(
  manifestsOf({
    ...{ scenario, kind, namespace, secret: { name, key } },
    ...{ url: values.url, rate: values.rate, image: values.image },
    parallelism: kind === 'job' ? 1 : whole('parallelism'),
    sessions: whole('sessions'),
    seconds: whole('seconds'),
    deliveryMs: whole('delivery'),
  }),
);

function whole(option: 'parallelism' | 'sessions' | 'seconds' | 'delivery'): number {
  const value = Number(values[option]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${option} is a whole number`);
  return value;
}
