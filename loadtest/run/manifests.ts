/**
 * Prints manifests that run a scenario in a cluster:
 *   npm run --silent manifests --workspace loadtest -- --scenario unicast | kubectl apply -f -
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { IMAGE, manifestsOf } from './kubernetes.ts';

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
    image: { type: 'string', default: IMAGE },
    namespace: { type: 'string' },
  },
});

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
  }),
);

function whole(option: 'parallelism' | 'sessions' | 'seconds'): number {
  const value = Number(values[option]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${option} is a whole number`);
  return value;
}
