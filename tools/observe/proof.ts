import { setTimeout as sleep } from 'node:timers/promises';
import { fired, firing, until } from './alerts.ts';
import { MARKS, PANELS, VARIABLES, asGrafana, look, type BoardPanel } from './boards.ts';
import { diagnose } from './diagnosis.ts';
import type { Fault } from './faults.ts';
import type { Stage } from './stage.ts';

export interface ProofOptions {
  /** Between two scrapes. */
  readonly seconds: number;
  /** How long nothing goes wrong. */
  readonly healthySeconds: number;
  readonly faults: readonly Fault[];
  /** Panels that nothing of this moves, by title; absent: it is not looked at. */
  readonly quiet?: ReadonlySet<string>;
  /** Takes a line of the report. */
  readonly say: (line: string) => void;
}

/** Longest wait for something to be seen. */
const PATIENCE_SECONDS = 30;
/** Longest wait for an alert to end, whose window may be as long as the wait for it. */
const SILENCE_SECONDS = 60;
const NODES = 3;

/** Looks at a stage that has started, panel by panel and alert by alert. @returns what is missing */
export async function prove(stage: Stage, options: ProofOptions): Promise<string[]> {
  const proof = new Proof(stage, options);
  await proof.healthy();
  for (const fault of options.faults) await proof.fault(fault);
  if (options.quiet) await proof.moved(options.quiet);
  return proof.missing;
}

class Proof {
  readonly missing: string[] = [];
  private readonly stage: Stage;
  private readonly options: ProofOptions;
  private readonly begun = now();

  constructor(stage: Stage, options: ProofOptions) {
    this.stage = stage;
    this.options = options;
  }

  /** Nothing goes wrong: no alert fires, and every query gives numbers. */
  async healthy(): Promise<void> {
    const { prometheus } = this.stage;
    const { healthySeconds, seconds, say } = this.options;
    await sleep(healthySeconds * 1000);
    say(`\nHealthy for ${healthySeconds} s\n`);
    const alerts = [...(await fired(prometheus, now() - this.begun))].join(', ');
    this.check(alerts === '', `no alert fires${alerts && `: ${alerts}`}`);
    const diagnosis = await diagnose(prometheus, seconds, NODES);
    this.check(diagnosis === 'healthy', `the Overview tells: ${diagnosis}`);
    for (const [name, { match, label }] of VARIABLES) {
      const values = await prometheus.valuesOf(label, asGrafana(match, seconds));
      // Outside of Kubernetes there is no namespace.
      const wanted = { job: 1, instance: NODES, namespace: 0 }[name];
      this.check(values.length === wanted, `variable ${name}: ${values.join(', ') || 'nothing'}`);
    }
    await this.mark('Releases', this.begun);
    for (const panel of PANELS) await this.panel(panel);
  }

  /** What it must fire fires, nothing else does, its panels show it, and it ends with its cause. */
  async fault(fault: Fault): Promise<void> {
    const { name, fires, mayFire, shows, marks, diagnosis, lasts = 0, noticed = 0 } = fault;
    const { prometheus } = this.stage;
    const { seconds, say } = this.options;
    say(`\n${name}\n`);
    const before = await firing(prometheus);
    const since = now();
    const mend = await fault.inject(this.stage);
    const lasting = sleep(lasts * 1000);
    const fire = async (alert: string) => (await firing(prometheus)).has(alert);
    for (const alert of fires)
      await this.comes(`${alert} fires`, () => fire(alert), PATIENCE_SECONDS + noticed);
    if (diagnosis !== undefined)
      await this.comes(
        `the Overview tells: ${diagnosis}`,
        async () => (await diagnose(prometheus, seconds, NODES)) === diagnosis,
      );
    for (const [board, title] of shows) await this.rise(board, title, since);
    if (marks !== undefined) await this.mark(marks, since);
    await lasting;
    await mend();
    // Of a budget the long windows remember.
    for (const alert of fires.filter((each) => !each.endsWith('BudgetBurn')))
      await this.comes(
        `${alert} is silent`,
        async () => !(await fire(alert)),
        SILENCE_SECONDS + noticed,
      );
    if (diagnosis !== undefined)
      await this.comes(
        'the Overview tells: healthy',
        async () => (await diagnose(prometheus, seconds, NODES)) === 'healthy',
      );
    for (const alert of await fired(prometheus, now() - since))
      if (!fires.includes(alert) && !before.has(alert))
        this.check(mayFire.includes(alert), `${alert} fired, too`);
  }

  /** Some number of the panel is above 0. @param since Unix seconds */
  private async rise(board: string, title: string, since: number): Promise<void> {
    const { prometheus } = this.stage;
    const panels = PANELS.filter((each) => each.board === board && each.title === title);
    await this.comes(`${board}: ${title} rises`, async () => {
      const looks = panels.map((panel) => look(prometheus, panel, this.options.seconds, since));
      const seen = (await Promise.all(looks)).flat();
      return seen.some(({ numbers }) => numbers.some((value) => value > 0));
    });
  }

  /** A query that gives 0 whatever happens would prove nothing: each panel has moved at some time. */
  async moved(quiet: ReadonlySet<string>): Promise<void> {
    const { prometheus } = this.stage;
    const { seconds, say } = this.options;
    say('\nOver all of it\n');
    for (const panel of PANELS.filter(({ type, title }) => type !== 'stat' && !quiet.has(title))) {
      const seen = await look(prometheus, panel, seconds, this.begun);
      const isMoved = seen.some(({ numbers }) => numbers.some((value) => value !== 0));
      if (!isMoved) this.check(false, `${panel.board}: ${panel.title} was 0 all the time`);
    }
    say(`  not brought about: ${[...quiet].join(', ')}`);
  }

  private async mark(name: string, since: number): Promise<void> {
    const { seconds } = this.options;
    const query = asGrafana(MARKS.get(name) ?? '', seconds);
    await this.comes(`mark ${name}`, async () => {
      const series = await this.stage.prometheus.over(query, since, now(), seconds);
      return series.length > 0;
    });
  }

  /** All of its queries give numbers. */
  private async panel(panel: BoardPanel): Promise<void> {
    const { prometheus } = this.stage;
    const seen = await look(prometheus, panel, this.options.seconds, this.begun);
    const numbers = seen.flatMap((each) => each.numbers);
    const range = [Math.min(...numbers), Math.max(...numbers)].map((n) => Number(n.toPrecision(3)));
    const series = String(seen.reduce((sum, each) => sum + each.series.length, 0)).padStart(3);
    this.check(
      seen.every((each) => each.numbers.length > 0),
      `${`${panel.board}: ${panel.title}`.padEnd(56)} ${series} series  ${range.join(' .. ')}`,
    );
  }

  /** Waits until it is so, and says after how long. */
  private async comes(
    what: string,
    isSo: () => Promise<boolean>,
    patience = PATIENCE_SECONDS,
  ): Promise<void> {
    const took = await until(isSo, patience);
    const when = took === undefined ? `not in ${patience} s` : `after ${took.toFixed(0)} s`;
    this.check(took !== undefined, `${what}: ${when}`);
  }

  private check(isSo: boolean, what: string): void {
    this.options.say(`  ${isSo ? 'ok     ' : 'MISSING'} ${what}`);
    if (!isSo) this.missing.push(what);
  }
}

/** Unix seconds. */
function now(): number {
  return Date.now() / 1000;
}
