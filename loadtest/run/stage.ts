import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { startPostgres, type TestPostgres } from '../../gateway/test/postgres.ts';
import { Cluster } from '../../tools/cluster-parts.ts';
import { Balancer, type Way } from './balancer.ts';
import { family } from './samples.ts';
import { gatewayEnv, STOCK, stockEnv, STREAMGATE } from './candidates.ts';
import type { Candidate } from './measured.ts';

export interface StageOptions {
  readonly candidate: Exclude<Candidate, 'target'>;
  readonly nodes: number;
  /** Settings of our nodes. */
  readonly env?: Readonly<Record<string, string>>;
  /** With the database that chat wants. */
  readonly chat?: boolean;
  /** What nodes write. */
  readonly log: string;
  /** What stands in the way of what people are sent; they all go through the balancer then. For faults that are planted. */
  readonly newWay?: () => Way;
}

/** What the load is put on: nodes of one candidate with their Redis and what balances over them. */
export class Stage {
  readonly candidate: Candidate;
  readonly secret: string;
  readonly cluster: Cluster | undefined;
  readonly balancer: Balancer | undefined;
  private readonly postgres: TestPostgres | undefined;
  private readonly target: string;
  private readonly isPlanted: boolean;
  private readonly end: () => Promise<void>;

  private constructor(
    parts: Pick<Stage, 'candidate' | 'secret' | 'cluster' | 'balancer'>,
    more: {
      postgres?: TestPostgres | undefined;
      target: string;
      isPlanted: boolean;
      end: () => Promise<void>;
    },
  ) {
    this.candidate = parts.candidate;
    this.secret = parts.secret;
    this.cluster = parts.cluster;
    this.balancer = parts.balancer;
    this.postgres = more.postgres;
    this.target = more.target;
    this.isPlanted = more.isPlanted;
    this.end = more.end;
  }

  /** @throws Error when a part does not start; nothing of it is left then */
  static async start(options: StageOptions): Promise<Stage> {
    const { candidate, nodes, env, chat, newWay } = options;
    const secret = randomBytes(32).toString('hex');
    const output = openSync(options.log, 'a');
    let postgres: TestPostgres | undefined;
    let cluster: Cluster | undefined;
    let balancer: Balancer | undefined;
    const end = async () => {
      await balancer?.stop();
      // Twice: who drains hurries.
      cluster?.hurry('SIGKILL');
      await cluster?.stop('SIGKILL');
      await postgres?.stop();
      closeSync(output);
    };
    try {
      if (chat) postgres = await startPostgres();
      const path = { PATH: process.env.PATH };
      const ours = { ...gatewayEnv(secret), ...env };
      if (postgres) ours.STREAMGATE_DATABASE_URL = postgres.url;
      cluster =
        candidate === 'stock'
          ? new Cluster({ ...path, ...stockEnv(secret) }, { output, count: nodes, program: STOCK })
          : new Cluster({ ...path, ...ours }, { output, count: nodes, program: STREAMGATE });
      await cluster.start();
      balancer = await Balancer.start(
        cluster.nodes.map(({ url }) => url),
        newWay,
      );
    } catch (error) {
      await end();
      throw error;
    }
    return new Stage(
      { candidate, secret, cluster, balancer },
      { postgres, target: '', isPlanted: newWay !== undefined, end },
    );
  }

  /** A deployment that runs already. @param secret what signs its tokens; empty: they come from elsewhere */
  static of(target: string, secret: string): Stage {
    return new Stage(
      { candidate: 'target', secret, cluster: undefined, balancer: undefined },
      { target, isPlanted: false, end: () => Promise.resolve() },
    );
  }

  /** Where people connect. @param network whether they go through the balancer */
  urls(network: boolean): string[] {
    if (!this.cluster || !this.balancer) return [this.target];
    if (network || this.isPlanted) return [this.balancer.url];
    return this.cluster.nodes.map(({ url }) => url);
  }

  /** Processes of it that are neither one of its nodes of now nor Redis. */
  pids(): number[] {
    const nodes = new Set(this.cluster?.nodes.map(({ process }) => process));
    const beside = this.cluster?.running.filter((each) => !nodes.has(each)) ?? [];
    return [...beside.map(({ pid }) => pid!), ...(this.postgres ? family(this.postgres.pid) : [])];
  }

  stop(): Promise<void> {
    return this.end();
  }
}
