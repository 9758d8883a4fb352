import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Config, readConfig } from '../../gateway/dist/config.js';
import { startJwks, type TestJwks } from '../../gateway/test/jwks.ts';
import { startPostgres, type TestPostgres } from '../../gateway/test/postgres.ts';
import { Cluster } from '../cluster-parts.ts';
import { developmentDefaults } from '../development.ts';
import { Load, LOAD_ENV } from './load.ts';
import { Prometheus } from './prometheus.ts';

/** What is looked at begins with the load as it stays, not with nodes that have just started. */
const WARM_UP_MS = 10_000;

export interface StageOptions {
  /** Of the nodes; what is missing is as with `make cluster`, and PostgreSQL is ours. */
  readonly env: NodeJS.ProcessEnv;
  /** The text of a rule file. */
  readonly rules: string;
  /** Between two scrapes. */
  readonly seconds: number;
}

/** Three nodes with Redis and PostgreSQL, under load, and a Prometheus that looks at them. */
export class Stage {
  /** What the nodes write. */
  readonly log = join(mkdtempSync(join(tmpdir(), 'streamgate-observe-')), 'nodes.log');
  private readonly output = openSync(this.log, 'a');
  private readonly options: StageOptions;
  private readonly parts: {
    config?: Config;
    postgres?: TestPostgres;
    jwks?: TestJwks;
    cluster?: Cluster;
    load?: Load;
    prometheus?: Prometheus;
  } = {};

  constructor(options: StageOptions) {
    this.options = options;
  }

  /** @throws ConfigError, or Error when a part does not start; `stop` is the caller's, then as ever */
  async start(): Promise<void> {
    const { rules, seconds, env: given } = this.options;
    const env: NodeJS.ProcessEnv = { ...LOAD_ENV, ...given, ...developmentDefaults(given) };
    const needs = ['redis-server', 'postgres', 'prometheus'];
    execFileSync(join(import.meta.dirname, '../ensure'), needs, { stdio: 'inherit' });
    if (!env.STREAMGATE_DATABASE_URL && env.STREAMGATE_CHAT !== 'off') {
      this.parts.postgres = await startPostgres();
      env.STREAMGATE_DATABASE_URL = this.parts.postgres.url;
    }
    if (env.STREAMGATE_JWT_SECRET && !env.STREAMGATE_JWT_JWKS_URL) {
      this.parts.jwks = await startJwks();
      env.STREAMGATE_JWT_JWKS_URL = this.parts.jwks.url;
    }
    const config = (this.parts.config = readConfig({
      STREAMGATE_REDIS_URL: 'redis://ours',
      ...env,
    }));
    const cluster = (this.parts.cluster = new Cluster(env, { output: this.output }));
    await cluster.start();
    const urls = cluster.nodes.map(({ url }) => url);
    this.parts.load = await Load.start(config, urls, cluster.redisUrl);
    await sleep(WARM_UP_MS);
    this.parts.prometheus = await Prometheus.start({
      targets: cluster.nodes.map(({ managementUrl }) => new URL(managementUrl).host),
      rules,
      seconds,
    });
  }

  get config(): Config {
    return this.parts.config!;
  }
  get cluster(): Cluster {
    return this.parts.cluster!;
  }
  /** Undefined when the database is somebody else's. */
  get postgres(): TestPostgres | undefined {
    return this.parts.postgres;
  }
  /** Whose tokens nodes accept beside those of the load; undefined when the issuer is somebody else. */
  get jwks(): TestJwks | undefined {
    return this.parts.jwks;
  }
  get load(): Load {
    return this.parts.load!;
  }
  get prometheus(): Prometheus {
    return this.parts.prometheus!;
  }

  /** Nodes that stop already stop at once. */
  hurry(signal: NodeJS.Signals): void {
    this.parts.cluster?.hurry(signal);
  }

  /** @param keepsLog for somebody who wants to know what went wrong */
  async stop(signal: NodeJS.Signals = 'SIGINT', keepsLog = false): Promise<void> {
    const { load, cluster, prometheus, postgres, jwks } = this.parts;
    await load?.stop();
    await cluster?.stop(signal);
    await Promise.all([prometheus?.stop(), postgres?.stop(), jwks?.close()]);
    closeSync(this.output);
    if (!keepsLog) rmSync(dirname(this.log), { recursive: true, force: true });
  }
}
