import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { tie } from '../../gateway/test/tied.ts';
import { isRunning } from '../cluster-parts.ts';
import { freePort } from '../development.ts';

/** The job under which nodes are scraped; alerts look for `streamgate` in it. */
export const JOB = 'streamgate';

/** A series of an answer: its labels, and `[Unix seconds, value as text]` each. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

export interface PrometheusOptions {
  /** `host:port` of management ports. */
  readonly targets: readonly string[];
  /** The text of a rule file. */
  readonly rules: string;
  /** How often nodes are scraped and rules evaluated. */
  readonly seconds: number;
}

/** A real Prometheus of our own, on a free port of loopback, with its data in a folder. */
export class Prometheus {
  readonly url: string;
  private readonly child: ChildProcess;
  private readonly dir: string;

  private constructor(url: string, child: ChildProcess, dir: string) {
    this.url = url;
    this.child = child;
    this.dir = dir;
  }

  /** Builds it when it is not on PATH. @throws Error with what it wrote, when it does not start */
  static async start({ targets, rules, seconds }: PrometheusOptions): Promise<Prometheus> {
    const find = join(import.meta.dirname, '../go-tool');
    const stdio = ['ignore', 'pipe', 'inherit'] as const;
    const program = execFileSync(find, ['prometheus'], { encoding: 'utf8', stdio: [...stdio] });
    const dir = mkdtempSync(join(tmpdir(), 'streamgate-prometheus-'));
    const config = {
      global: {
        scrape_interval: `${seconds}s`,
        scrape_timeout: `${seconds}s`,
        evaluation_interval: `${seconds}s`,
      },
      rule_files: ['rules.yaml'],
      scrape_configs: [{ job_name: JOB, static_configs: [{ targets: [...targets] }] }],
    };
    writeFileSync(join(dir, 'prometheus.yaml'), stringify(config));
    writeFileSync(join(dir, 'rules.yaml'), rules);
    const address = `127.0.0.1:${await freePort(9090)}`;
    const child = spawn(
      program.trim(),
      [
        `--config.file=${join(dir, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--web.listen-address=${address}`,
        '--enable-feature=exemplar-storage',
        '--log.level=warn',
      ],
      // Detached, so that a Ctrl-C does not take it away from under who asks it.
      { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
    );
    tie(child);
    let output = '';
    child.stderr.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4000)));
    const prometheus = new Prometheus(`http://${address}`, child, dir);
    while (!(await prometheus.isReady())) {
      if (!isRunning(child)) throw new Error(`Prometheus did not start:\n${output}`);
      await sleep(50);
    }
    return prometheus;
  }

  /** What a query gives now: one value each. @throws Error that says what is wrong with the query */
  async now(query: string): Promise<Series[]> {
    const { result } = await this.ask('query', { query });
    return (result as { metric: Series['metric']; value: Series['values'][number] }[]).map(
      ({ metric, value }) => ({ metric, values: [value] }),
    );
  }

  /** What a query gives from one time to another. @param from Unix seconds, as `to` and `step` */
  async over(query: string, from: number, to: number, step: number): Promise<Series[]> {
    const range = { start: String(from), end: String(to), step: String(step) };
    return (await this.ask('query_range', { query, ...range })).result as Series[];
  }

  /** Values of a label of series. */
  async valuesOf(label: string, match: string): Promise<string[]> {
    return (await this.ask(`label/${label}/values`, { 'match[]': match })) as unknown as string[];
  }

  async stop(): Promise<void> {
    if (isRunning(this.child) && this.child.kill('SIGTERM')) await once(this.child, 'exit');
    rmSync(this.dir, { recursive: true, force: true });
  }

  private async ask(path: string, query: Record<string, string>): Promise<{ result: unknown }> {
    const answer = await fetch(
      `${this.url}/api/v1/${path}?${new URLSearchParams(query).toString()}`,
    );
    const body = (await answer.json()) as { error?: string; data: { result: unknown } };
    if (!answer.ok) throw new Error(`${body.error}: ${JSON.stringify(query)}`);
    return body.data;
  }

  private async isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/-/ready`)).ok;
    } catch {
      return false; // it does not listen yet
    }
  }
}
