import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { apply, rolledOut } from './cluster.ts';
import { root, run } from './programs.ts';

const PASSWORD = 'of-the-tests';
/** A Secret with the URL, as `database.existingSecret` wants it. */
export const DATABASE_SECRET = 'streamgate-database';

interface Manifest {
  kind: string;
  spec: { volumeClaimTemplates?: object[]; template: { spec: { volumes: object[] } } };
}

/** k8s/postgres/postgres.yaml as its head walks it, but for the disk: a cluster for tests may have none to give. */
export async function startPostgres(namespace: string): Promise<void> {
  const text = await readFile(join(root, 'k8s/postgres/postgres.yaml'), 'utf8');
  const objects = parseAllDocuments(text).map((document) => document.toJS() as Manifest);
  for (const { kind, spec } of objects) {
    if (kind !== 'StatefulSet') continue;
    delete spec.volumeClaimTemplates;
    spec.template.spec.volumes.push({ name: 'data', emptyDir: {} });
  }
  const url = `postgres://streamgate:${PASSWORD}@postgres:5432/streamgate`;
  await apply(
    namespace,
    secret('postgres', { password: PASSWORD }),
    secret(DATABASE_SECRET, { STREAMGATE_DATABASE_URL: url }),
    ...objects,
  );
  await rolledOut(namespace, 'statefulset/postgres');
}

/** What the database answers, a line for each row. */
export async function select(namespace: string, query: string): Promise<string[]> {
  const psql = ['psql', '--username', 'streamgate', '--tuples-only', '--no-align', '-c', query];
  const answer = await run('kubectl', ['-n', namespace, 'exec', 'postgres-0', '--', ...psql]);
  return answer.split('\n').filter(Boolean);
}

function secret(name: string, stringData: Record<string, string>): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData };
}
