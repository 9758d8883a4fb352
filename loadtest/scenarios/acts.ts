import exec from 'k6/execution';
import http from 'k6/http';
import { delay } from '../lib/timers.ts';
import { connectSeconds, settings } from './settings.ts';

/** Between two questions to the runner. */
const ASK_MS = 200;

interface Phase {
  readonly phase: 'connect' | 'go' | 'end';
  readonly at?: number;
  readonly sent?: number;
}

/** Says that this VU's people are connected. @returns when the load begins, ms since the epoch */
export async function begun(): Promise<number> {
  if (!settings.control) {
    const at = exec.scenario.startTime + connectSeconds * 1000;
    await delay(at - Date.now());
    return at;
  }
  await http.asyncRequest('POST', `${settings.control}/ready`);
  const { at } = await until('go');
  await delay(at! - Date.now());
  return at!;
}

/** Waits until the load has ended. @param at when it began @returns events that services have sent in all */
export async function ended(at: number): Promise<number> {
  if (settings.control) return (await until('end')).sent!;
  await delay(at + settings.seconds * 1000 - Date.now());
  return planned();
}

/** Events of services over REST, which has one rate: the first. */
export function planned(): number {
  return Math.round(settings.rates[0]! * settings.seconds);
}

/** Waits for what is under way. @param isComplete nothing is missing any more */
export async function settled(isComplete: () => boolean): Promise<void> {
  const end = Date.now() + settings.settleSeconds * 1000;
  while (!isComplete() && Date.now() < end) await delay(50);
}

async function until(wanted: 'go' | 'end'): Promise<Phase> {
  for (;;) {
    const answer = await http.asyncRequest('GET', `${settings.control}/state`);
    const phase = answer.json() as unknown as Phase;
    if (phase.phase === wanted || phase.phase === 'end') return phase;
    await delay(ASK_MS);
  }
}
