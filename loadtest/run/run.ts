import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Conductor } from './conductor.ts';
import { judge } from './judge.ts';
import { K6 } from './k6.ts';
import type { Measured, Outcome } from './measured.ts';
import { ALONE_MS, usageOf, type Usage } from './memory.ts';
import type { Plan, Scene, Size } from './plan.ts';
import { Samples } from './samples.ts';
import { Services } from './services.ts';
import type { Stage } from './stage.ts';

export interface RunOptions {
  readonly plan: Plan;
  readonly size: Size;
  readonly stage: Stage;
  /** Where its files go; made when it is not there. */
  readonly dir: string;
  readonly say: (line: string) => void;
  /** Further settings of the script. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The longest that people may take to connect, and k6 to end. */
const CONNECT_SECONDS = 180;
const END_SECONDS = 60;
/** Of people, in a second. */
const CONNECTS = 300;
/** Of events. */
const BYTES = 100;
const SETTLE_SECONDS = 10;
/** After what goes wrong on purpose, the load goes on. */
const AFTER_DRAMA_MS = 2000;
/** A script's VU has so many people at most. */
const PEOPLE_OF_A_VU = 500;

const KIB = 1024;

let runs = 0;

/** Puts a scenario's load on a stage once. @throws Error when a part of the run itself fails */
export async function run(options: RunOptions): Promise<Outcome> {
  const { plan, size, stage, dir } = options;
  mkdirSync(dir, { recursive: true });
  const conductor = await Conductor.start();
  const name = `load${process.pid}-${++runs}`;
  const facts: Record<string, number> = {};
  if (plan.weighs) note(facts, 'alone', await usageOf(stage, ALONE_MS));
  const vus = Math.max(2, Math.ceil(size.sessions / PEOPLE_OF_A_VU));
  // Of a deployment elsewhere the stream is out of reach: k6 sends over REST, by the clock.
  const isStream = stage.cluster !== undefined || !plan.services;
  const isConducted = isStream && !plan.byClock;
  const k6 = new K6(
    plan.name,
    {
      LOAD_URLS: stage.urls(plan.network ?? false).join(','),
      ...(stage.secret ? { LOAD_SECRET: stage.secret } : {}),
      LOAD_RUN: name,
      LOAD_DOOR: isStream ? 'stream' : 'rest',
      ...(isConducted ? { LOAD_CONTROL: conductor.url } : {}),
      SESSIONS: String(size.sessions),
      SECONDS: String(size.seconds),
      RATE: size.rates.join(','),
      VUS: String(vus),
      CONNECTS: String(CONNECTS),
      BYTES: String(BYTES),
      SETTLE: String(plan.settleSeconds ?? SETTLE_SECONDS),
      ...options.env,
    },
    dir,
  );
  const services =
    plan.services && stage.cluster ? await Services.start(stage.cluster.redisUrl) : undefined;
  const ours = [process.pid, ...(services ? [services.pid] : [])];
  const samples = watch(stage, k6, ours);
  let loadEnds = Infinity;
  try {
    if (isConducted) {
      const late = sleep(CONNECT_SECONDS * 1000, undefined, { ref: false });
      await Promise.race([conductor.areReady(vus), k6.ended(), late]);
      const at = conductor.go();
      samples.begin(at);
      const scene: Scene = { stage, size, run: name, at, facts, say: options.say, ours };
      const sent = await Promise.race([load(plan, scene, services), k6.ended()]);
      loadEnds = samples.second;
      conductor.end(sent);
    } else {
      samples.begin();
      // People of a deployment elsewhere are connected by then: scenarios/settings.ts has the same.
      const ready = plan.drama ? sleep((5 + (2 * size.sessions) / CONNECTS) * 1000) : undefined;
      const drama = async () => {
        await ready;
        const at = Date.now();
        await plan.drama?.({ stage, size, run: name, at, facts, say: options.say, ours });
      };
      await Promise.race([drama(), k6.ended()]);
    }
    const seconds = END_SECONDS + (isConducted ? 0 : CONNECT_SECONDS + size.seconds);
    const { metrics, checks } = await k6.result(seconds);
    samples.stop();
    const measured: Measured = {
      candidate: stage.candidate,
      sessions: size.sessions,
      seconds: size.seconds,
      rates: size.rates,
      metrics,
      samples: samples.taken,
      loadEnds: Math.min(loadEnds, samples.second),
      facts,
    };
    return judge(plan, measured, checks);
  } finally {
    k6.stop();
    services?.stop();
    samples.stop();
    conductor.stop();
  }
}

/** The load from its beginning to its end. @returns events that services have written */
async function load(plan: Plan, scene: Scene, services?: Services): Promise<number> {
  const { size, at, facts, run: name } = scene;
  const seconds = size.seconds / size.rates.length;
  const steps = size.rates.map((rate) => ({ rate, seconds }));
  // With a drama it goes on until that is over.
  if (plan.drama) steps.push({ rate: steps.at(-1)!.rate, seconds: CONNECT_SECONDS });
  const { sessions } = size;
  const writing = services?.write({ run: name, sessions, steps, at, bytes: BYTES });
  // Told where it is awaited; until then nothing else hears of it.
  writing?.catch(() => undefined);
  if (!plan.weighs)
    await Promise.all([plan.drama?.(scene), sleep(at + size.seconds * 1000 - Date.now())]);
  else note(facts, 'with people', await usageOf(scene.stage, size.seconds * 1000));
  if (plan.drama) {
    await sleep(AFTER_DRAMA_MS);
    services?.end();
  }
  const written = await writing;
  if (!written) return 0;
  facts['writer lag p99, ms'] = written.lag.p99;
  facts['writes repeated'] = written.repeated;
  return written.sent;
}

function note(facts: Record<string, number>, when: string, usage: Usage): void {
  facts[`KiB ${when}`] = usage.residentBytes / KIB;
  facts[`heap KiB ${when}`] = usage.heapBytes / KIB;
  facts[`millicores ${when}`] = usage.cpu * 1000;
}

function watch(stage: Stage, k6: K6, ours: readonly number[]): Samples {
  const { cluster } = stage;
  return new Samples({
    nodes: () =>
      (cluster?.nodes ?? []).map(({ number, managementUrl, process: { pid } }) => ({
        number,
        pid: pid!,
        ...(managementUrl === '' ? {} : { metrics: `${managementUrl}/metrics` }),
      })),
    redis: () => cluster?.redis?.pid,
    k6: () => k6.pid,
    ours: () => [...ours, ...stage.pids()],
  });
}
