import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { tie } from '../../gateway/test/tied.ts';
import { isRunning } from '../cluster-parts.ts';
import { freePort } from '../development.ts';

const BOARDS = join(import.meta.dirname, '../../dashboards/grafana');
/** Where packages put what Grafana needs beside its program. */
const HOME = '/usr/share/grafana';

/** A Grafana with our boards, for whoever runs it, without a login. */
export interface Grafana {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts the Grafana on PATH. @returns undefined when there is none */
export async function startGrafana(prometheusUrl: string): Promise<Grafana | undefined> {
  const program = onPath('grafana') ?? onPath('grafana-server');
  if (program === undefined) return undefined;
  const dir = mkdtempSync(join(tmpdir(), 'streamgate-grafana-'));
  provision(dir, prometheusUrl);
  const port = await freePort(3030);
  // Unpacked from an archive, its program lies in `bin` of its home.
  const home = program.startsWith('/usr/') ? HOME : dirname(dirname(realpathSync(program)));
  const args = [...(program.endsWith('server') ? [] : ['server']), '--homepath', home];
  const child = tie(
    spawn(program, args, {
      env: {
        ...process.env,
        GF_PATHS_DATA: join(dir, 'data'),
        GF_PATHS_LOGS: join(dir, 'logs'),
        GF_PATHS_PROVISIONING: dir,
        GF_SERVER_HTTP_ADDR: '127.0.0.1',
        GF_SERVER_HTTP_PORT: String(port),
        GF_AUTH_ANONYMOUS_ENABLED: 'true',
        GF_AUTH_ANONYMOUS_ORG_ROLE: 'Admin',
        GF_ANALYTICS_REPORTING_ENABLED: 'false',
        GF_ANALYTICS_CHECK_FOR_UPDATES: 'false',
      },
      stdio: 'ignore',
      detached: true,
    }),
  );
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      await end(child);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** What Grafana reads at its start: the data source, and where the boards are. */
export function provision(dir: string, prometheusUrl: string): void {
  const files = {
    datasources: {
      apiVersion: 1,
      datasources: [
        { name: 'Prometheus', type: 'prometheus', url: prometheusUrl, isDefault: true },
      ],
    },
    dashboards: {
      apiVersion: 1,
      providers: [{ name: 'Streamgate', folder: 'Streamgate', options: { path: BOARDS } }],
    },
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(dir, name), { recursive: true });
    writeFileSync(join(dir, name, 'streamgate.yaml'), stringify(content));
  }
}

function onPath(name: string): string | undefined {
  const { stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
  return stdout.trim() || undefined;
}

async function end(child: ChildProcess): Promise<void> {
  if (isRunning(child) && child.kill('SIGTERM')) await once(child, 'exit');
}
