/** `make load`: see `help`. */
import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { EVENTS_PER_SESSION, search, summed, writeValues } from './capacity.ts';
import { confirm } from './confirm.ts';
import { machine } from './machine.ts';
import type { Candidate, Outcome } from './measured.ts';
import type { Plan } from './plan.ts';
import { writeReport } from './report.ts';
import { run } from './run.ts';
import { help, readSettings, type Settings } from './settings.ts';
import { Stage } from './stage.ts';
import { statusOf, type Result } from './tables.ts';

const REPORTS = join(import.meta.dirname, '../reports');
/** Around the load of one run: starting, connecting, settling, what goes wrong on purpose. */
const MOST_AROUND_SECONDS = 300;
/** What runs now: a Ctrl-C ends it. */
let staged: Stage | undefined;
/** Of a search. */
const MOST_TRIES = 9;
const MOST_SESSIONS = 50_000;

async function main(settings: Settings): Promise<number> {
  const { plans, isCompared, rounds, target } = settings;
  if (target) await confirm(target);
  endWithin(settings);
  const time = new Date().toISOString();
  const name = `${time.slice(0, 19).replaceAll(':', '')}-${plans.map((plan) => plan.name).join('+')}`;
  const dir = settings.out ?? join(REPORTS, name);
  mkdirSync(dir, { recursive: true });
  const candidates: Candidate[] = target
    ? ['target']
    : isCompared
      ? ['streamgate', 'stock']
      : ['streamgate'];
  const results: Result[] = [];
  for (const plan of plans) {
    const outcomes: Outcome[] = [];
    for (let round = 1; round <= rounds; round++) {
      for (const candidate of candidates) {
        console.log(`${plan.name}, ${candidate}${rounds > 1 ? `, round ${round}` : ''}`);
        const files = join(dir, [plan.name, candidate, ...(rounds > 1 ? [round] : [])].join('-'));
        const play = plan.searches && !target ? searched : once;
        outcomes.push(await play(plan, candidate, settings, files));
      }
      // A B B A: what else the machine does touches both alike.
      candidates.reverse();
    }
    results.push({ name: plan.name, asks: plan.asks, outcomes });
  }
  const text = writeReport(
    dir,
    { time, ...machine(), nodes: settings.nodes },
    results,
    settings.writes,
  );
  console.log(`\n${text}\nThe report is in ${relative(process.cwd(), dir)}`);
  return statusOf(results);
}

/** Whatever happens, it ends by itself. */
function endWithin({ plans, sizeOf, rounds, isCompared }: Settings): void {
  const seconds = plans.reduce((sum, plan) => {
    const one = sizeOf(plan).seconds + MOST_AROUND_SECONDS;
    return sum + one * (plan.searches ? MOST_TRIES : 1);
  }, 0);
  const most = seconds * rounds * (isCompared ? 2 : 1);
  setTimeout(() => {
    console.error(`It has not ended within ${Math.round(most / 60)} minutes`);
    process.exit(1);
  }, most * 1000).unref();
}

/** The most that one node carries. */
async function searched(
  plan: Plan,
  candidate: Candidate,
  settings: Settings,
  dir: string,
): Promise<Outcome> {
  const { sessions: first, seconds } = settings.sizeOf(plan);
  const extent = settings.isSmoke
    ? { first, most: first, tries: 1 }
    : { first, most: MOST_SESSIONS, tries: MOST_TRIES };
  const capacity = await search(extent, (sessions) => {
    console.log(`  ${sessions} sessions`);
    const size = { sessions, seconds, rates: [sessions * EVENTS_PER_SESSION] };
    return once(plan, candidate, { ...settings, nodes: 1 }, join(dir, String(sessions)), size);
  });
  writeValues(dir, capacity);
  return summed(capacity);
}

async function once(
  plan: Plan,
  candidate: Candidate,
  settings: Settings,
  dir: string,
  size = settings.sizeOf(plan),
): Promise<Outcome> {
  mkdirSync(dir, { recursive: true });
  const stage =
    candidate === 'target'
      ? Stage.of(settings.target!, process.env.LOAD_SECRET ?? '')
      : await Stage.start({
          candidate,
          nodes: settings.nodes,
          env: plan.env?.(size) ?? {},
          chat: plan.needsChat ?? false,
          log: join(dir, 'nodes.log'),
        });
  staged = stage;
  try {
    // Once, what the first session makes a node keep for good is not that of a session.
    if (plan.weighs && stage.cluster)
      await run({
        plan: { ...plan, weighs: false },
        size: plan.smoke,
        stage,
        dir: join(dir, 'first'),
        say: console.log,
      });
    return await run({ plan, size, stage, dir, say: console.log });
  } finally {
    await stage.stop();
  }
}

if (process.argv.includes('--help') || process.env.SCENARIO === 'help') console.log(help);
else {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(
      signal,
      () => void (staged?.stop() ?? Promise.resolve()).finally(() => process.exit(130)),
    );
  try {
    process.exitCode = await main(readSettings(process.env));
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
