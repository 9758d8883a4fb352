import { type Check, type Measured, type Outcome, statistic } from './measured.ts';
import type { Plan } from './plan.ts';
import { invalidity } from './validity.ts';

/** @param thresholds of the script, as k6 has seen them */
export function judge(plan: Plan, measured: Measured, thresholds: readonly Check[]): Outcome {
  const checks = [...thresholds, ...accounted(plan, measured), ...(plan.checks?.(measured) ?? [])];
  const invalid = invalidity(measured, plan);
  const isMet = checks.every((check) => check.isMet);
  const verdict = invalid.length > 0 ? 'invalid' : isMet ? 'passed' : 'failed';
  return { ...measured, figures: plan.figures(measured), checks, invalid, verdict };
}

/** Thresholds of k6 count what is wrong with whom it saw to the end, and hold where it saw nobody: that it saw all is asked here. */
function accounted({ byClock, isSilent }: Plan, measured: Measured): Check[] {
  const { sessions } = measured;
  const people = statistic(measured, 'load_people', 'count') ?? 0;
  const sent = statistic(measured, 'load_sent', 'count') ?? 0;
  return [
    ...(byClock
      ? []
      : [
          {
            name: 'every person is accounted for',
            isMet: people === sessions,
            seen: `${people} of ${sessions}`,
          },
        ]),
    ...(isSilent ? [] : [{ name: 'people were sent events', isMet: sent > 0, seen: String(sent) }]),
  ];
}
