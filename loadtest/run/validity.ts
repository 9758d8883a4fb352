import { availableParallelism } from 'node:os';
import { clientDelay, judgedSteps, MOST_CLIENT_DELAY_MS } from './connect-ramp.ts';
import { duringLoad, type Measured, statistic } from './measured.ts';
import type { Plan } from './plan.ts';
import type { Sample } from './samples.ts';

/** Beyond these a number says more of this machine, or of k6, than of the gateway. */
const MOST = {
  /** Of the machine, by k6. */
  k6: 0.6,
  /** Of the machine, by whatever is not part of the run. */
  others: 0.15,
  /** Of the machine, by all. */
  machine: 0.97,
  /** Of the writer behind its plan, 99 %, in ms. */
  lag: 50,
};

/**
 * Why the run's numbers are not the gateway's.
 * @param plan of a search for a limit by the clock what k6 leaves out is the answer; where Redis is taken away the
 * writer has to wait for it
 */
export function invalidity(
  measured: Measured,
  { takesRedis, byClock }: Pick<Plan, 'takesRedis' | 'byClock'> = {},
): string[] {
  const { facts } = measured;
  const reasons: string[] = [];
  const say = (isBad: boolean, reason: string) => isBad && reasons.push(reason);
  // Nothing can be compared with a gateway that nobody came onto; of one of ours that is a failure.
  const nobody = statistic(measured, 'load_connect', 'count') === 0;
  say(measured.candidate === 'stock' && nobody, 'nobody came onto the stock gateway');
  // Of more and more connects a second those beyond the answer may be too many for k6 too.
  const judged = byClock ? judgedSteps(measured) : [...measured.rates.keys()];
  const delay = byClock
    ? Math.max(...judged.map((step) => clientDelay(measured, step)))
    : (statistic(measured, 'load_client_delay', 'p(99)') ?? 0);
  say(delay > MOST_CLIENT_DELAY_MS, `timers of k6 were ${Math.round(delay)} ms late (p99)`);
  const dropped = statistic(measured, 'dropped_iterations', 'count') ?? 0;
  say(!byClock && dropped > 0, `k6 did not begin ${dropped} iterations that were due`);
  const mislaid = statistic(measured, 'socketio_handshakes_lost', 'count') ?? 0;
  say(mislaid > 0, `k6 mislaid ${mislaid} handshakes`);
  const lag = facts['writer lag p99, ms'] ?? 0;
  say(!takesRedis && lag > MOST.lag, `the writer was ${Math.round(lag)} ms late (p99)`);
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  // Of several rates the worst: the others must not hide that one had no machine left.
  const worst = (of: (sample: Sample) => number) =>
    Math.max(...judged.map((step) => mean(duringLoad(measured, step).map(of))));
  const k6 = worst((sample) => sample.k6?.cpu ?? 0) / availableParallelism();
  say(k6 > MOST.k6, `k6 took ${percent(k6)} of the machine`);
  const others = worst((sample) => sample.others);
  say(others > MOST.others, `others took ${percent(others)} of the machine`);
  const machine = worst((sample) => sample.machine);
  say(machine > MOST.machine, `the machine was busy (${percent(machine)})`);
  return reasons;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
