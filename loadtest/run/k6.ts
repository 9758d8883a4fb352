import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tie } from '../../gateway/test/tied.ts';
import { isRunning } from '../../tools/cluster-parts.ts';
import type { Check, Statistics } from './measured.ts';
import { k6Program } from './program.ts';

/** What k6 says at its end. */
export interface Summary {
  readonly metrics: Record<string, Statistics>;
  /** The thresholds of the script. */
  readonly checks: Check[];
}

/** One run of a script by k6. */
export class K6 {
  readonly log: string;
  private readonly child: ChildProcess;
  private readonly summary: string;

  /**
   * @param name of the script in ../scenarios
   * @param env settings of the script
   * @param dir where log, summary and dashboard go
   */
  constructor(name: string, env: Readonly<Record<string, string>>, dir: string) {
    this.log = join(dir, 'k6.log');
    this.summary = join(dir, 'k6-summary.json');
    const output = openSync(this.log, 'a');
    const script = join(import.meta.dirname, '../scenarios', `${name}.ts`);
    this.child = tie(
      spawn(
        k6Program(),
        [
          ...['run', '--no-color', '--address', '127.0.0.1:0', '--summary-mode', 'full'],
          ...['--summary-export', this.summary, script],
        ],
        {
          env: {
            PATH: process.env.PATH,
            HOME: process.env.HOME,
            K6_NO_USAGE_REPORT: 'true',
            K6_WEB_DASHBOARD: 'true',
            K6_WEB_DASHBOARD_PORT: '-1',
            K6_WEB_DASHBOARD_PERIOD: '1s',
            K6_WEB_DASHBOARD_EXPORT: join(dir, 'k6.html'),
            ...env,
          },
          stdio: ['ignore', output, output],
          detached: true,
        },
      ),
    );
    closeSync(output);
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** @throws Error when it ends by itself */
  async ended(): Promise<never> {
    await this.exit();
    throw new Error(`k6 has ended too early:\n${this.tail()}`);
  }

  /** Waits for its end, and brings it about when it takes longer. @throws Error when there is no summary */
  async result(seconds: number): Promise<Summary> {
    const patience = new AbortController();
    const late = sleep(seconds * 1000, undefined, { signal: patience.signal }).then(
      () => this.stop(),
      () => undefined,
    );
    await this.exit();
    patience.abort();
    await late;
    if (!existsSync(this.summary)) throw new Error(`k6 left no summary:\n${this.tail()}`);
    return readSummary(readFileSync(this.summary, 'utf8'));
  }

  /** Asks it to end; it still writes its summary. */
  stop(): void {
    if (isRunning(this.child)) this.child.kill('SIGINT');
  }

  private async exit(): Promise<void> {
    if (isRunning(this.child)) await once(this.child, 'exit');
  }

  private tail(): string {
    return readFileSync(this.log, 'utf8').slice(-3000);
  }
}

/** Thresholds stand in the summary by their text, `true` where they are crossed. */
export function readSummary(text: string): Summary {
  const { metrics } = JSON.parse(text) as {
    metrics: Record<string, Record<string, number> & { thresholds?: Record<string, boolean> }>;
  };
  const checks: Check[] = [];
  for (const [metric, { thresholds = {}, ...values }] of Object.entries(metrics))
    for (const [threshold, isCrossed] of Object.entries(thresholds)) {
      // These only make k6 tell tags apart.
      if (threshold === 'p(99)>=0') continue;
      // A rate has `value` only.
      const seen = values[threshold.split(/[<>=]/)[0]!.trim()] ?? values['value'];
      checks.push({
        name: `${metric} ${threshold}`,
        isMet: !isCrossed,
        seen: seen === undefined ? '' : String(Math.round(seen * 100) / 100),
      });
    }
  return { metrics, checks };
}
