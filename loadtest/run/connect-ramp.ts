import type { Check, Figure, Measured } from './measured.ts';
import { statistic } from './measured.ts';

/** The limit of the handshake, 99 %. */
export const CONNECT_LIMIT_MS = 500;
/** Of the connects that were due at a rate, at least so many have to have come about in its time. */
const MOST_OF_THEM = 0.95;

/** Of k6's own timers, 99 %. */
export const MOST_CLIENT_DELAY_MS = 50;

interface Step {
  readonly rate: number;
  readonly p99: number | undefined;
  readonly isCarried: boolean;
}

function stepsOf(measured: Measured, rates: readonly number[]): Step[] {
  const seconds = measured.seconds / rates.length;
  return rates.map((rate, step) => {
    const p99 = statistic(measured, `load_connect{step:${step}}`, 'p(99)');
    const count = statistic(measured, `load_connect{step:${step}}`, 'count') ?? 0;
    const isClientLate = clientDelay(measured, step) > MOST_CLIENT_DELAY_MS;
    const isCarried =
      !isClientLate &&
      p99 !== undefined &&
      p99 < CONNECT_LIMIT_MS &&
      count >= rate * seconds * MOST_OF_THEM;
    return { rate, p99, isCarried };
  });
}

/** The last rate before the first that was not carried. */
export function carried(measured: Measured, rates: readonly number[]): number {
  const each = stepsOf(measured, rates);
  const end = each.findIndex(({ isCarried }) => !isCarried);
  return each[(end === -1 ? each.length : end) - 1]?.rate ?? 0;
}

/** Steps that the answer is from: up to the first that was not carried. What ends it must not have been k6. */
export function judgedSteps(measured: Measured): number[] {
  const end = stepsOf(measured, measured.rates).findIndex(({ isCarried }) => !isCarried);
  const steps = [...measured.rates.keys()];
  return end === -1 ? steps : steps.slice(0, end + 1);
}

/** Of k6's timers while a step lasted, 99 %, in ms. */
export function clientDelay(measured: Measured, step: number): number {
  return statistic(measured, `load_client_delay{step:${step}}`, 'p(99)') ?? 0;
}

export function rampFigures(measured: Measured, rates: readonly number[]): Figure[] {
  return [
    {
      name: `Connects a second with a handshake within ${CONNECT_LIMIT_MS} ms (99 %)`,
      unit: 'connects/s',
      value: carried(measured, rates),
      better: 'higher',
    },
    ...stepsOf(measured, rates).map<Figure>(({ rate, p99 }) => ({
      name: `Connect at ${rate}/s, 99 %`,
      unit: 'ms',
      value: p99,
      better: 'lower',
    })),
  ];
}

export function rampChecks(measured: Measured, rates: readonly number[]): Check[] {
  const rate = carried(measured, rates);
  return [{ name: 'the lowest rate is carried', isMet: rate > 0, seen: `${rate}/s` }];
}
