/** More and more connects a second: at which rate does the handshake take too long? */
import exec from 'k6/execution';
import type { Options } from 'k6/options';
import { io } from '../lib/socket.io.ts';
import { after, cancel, delay } from '../lib/timers.ts';
import { measures, since } from './measures.ts';
import { apart, STATISTICS, SYSTEM_TAGS } from './options.ts';
import { settings, tokenOf, urlOf } from './settings.ts';

const { rates, seconds, sessions } = settings;
const STEP_SECONDS = seconds / rates.length;
const STEPS = rates.map((_, step) => ({ step: String(step) }));
const MOST_MS = 5000;
/** A timer in each iteration tells how late k6 itself is at its step. */
const WATCH_MS = 50;

/** So many VUs have a connect under way at the highest rate when each takes a quarter of a second. */
const VUS = Math.ceil(Math.max(...rates) / 4) + 5;

export const options: Options = {
  scenarios: {
    connects: {
      executor: 'ramping-arrival-rate',
      startRate: rates[0]!,
      timeUnit: '1s',
      preAllocatedVUs: VUS,
      maxVUs: 2 * VUS,
      // A step, not a slope: each rate is held.
      stages: rates.flatMap((target) => [
        { target, duration: '0s' },
        { target, duration: `${STEP_SECONDS}s` },
      ]),
      gracefulStop: '10s',
    },
  },
  thresholds: {
    'load_connect{step:0}': ['p(99)<500'],
    'load_connect_errors{step:0}': ['count==0'],
    ...apart('load_connect', 'step', [...rates.keys()].slice(1)),
    ...apart('load_client_delay', 'step', [...rates.keys()]),
  },
  summaryTrendStats: STATISTICS,
  systemTags: SYSTEM_TAGS,
};

/** One connect, of somebody new, who goes at once. */
export default async function (): Promise<void> {
  const index = exec.scenario.iterationInTest % sessions;
  const token = tokenOf(index);
  const elapsed = (Date.now() - exec.scenario.startTime) / 1000;
  const tags = STEPS[Math.min(STEPS.length - 1, Math.floor(elapsed / STEP_SECONDS))];
  const due = Date.now() + WATCH_MS;
  const watched = delay(WATCH_MS).then(() => measures.clientDelay.add(Date.now() - due, tags));
  await new Promise<void>((resolve) => {
    const began = Date.now();
    const socket = io(urlOf(exec.scenario.iterationInTest), {
      auth: { token },
      reconnection: false,
    });
    const end = (isConnected: boolean) => {
      cancel(late);
      if (isConnected) measures.connect.add(since(began), tags);
      measures.connectErrors.add(isConnected ? 0 : 1, tags);
      socket.disconnect();
      resolve();
    };
    const late = after(MOST_MS, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('connect_error', () => end(false));
  });
  await watched;
}
