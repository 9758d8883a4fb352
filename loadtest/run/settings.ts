import { PLANS } from './plans.ts';
import type { Plan, Size } from './plan.ts';

/** What `make load` was asked for. */
export interface Settings {
  readonly plans: readonly Plan[];
  readonly sizeOf: (plan: Plan) => Size;
  readonly nodes: number;
  readonly isSmoke: boolean;
  /** Beside the stock gateway, in turns. */
  readonly isCompared: boolean;
  readonly rounds: number;
  /** A deployment that runs already. */
  readonly target: string | undefined;
  /** Where the report goes. */
  readonly out: string | undefined;
  /** The table of docs/performance.md is written anew. */
  readonly writes: boolean;
}

const NAMES = [
  ...['SCENARIO', 'NODES', 'SESSIONS', 'RATE', 'SECONDS', 'COMPARE', 'ROUNDS', 'TARGET'],
  ...['SMOKE', 'OUT', 'WRITE'],
] as const;

export const help = `Puts load on a gateway, and writes what came of it.

make load SCENARIO=unicast [NODES=3] [SESSIONS=…] [RATE=…] [SECONDS=…]
  SCENARIO     one or several with commas between: ${PLANS.map(({ name }) => name).join(', ')}
  NODES        of ours, started here with a Redis (default 3)
  SESSIONS, SECONDS
               how many people, and how long (defaults: what two processors carry)
  RATE         events a second; several with commas between are tried one after the other
  COMPARE=stock
               the same on a stock Nest gateway with the Redis streams adapter, in turns, with ratios
  ROUNDS       of each, when compared (default 2)
  TARGET=https://…
               a deployment that runs already instead of nodes here; LOAD_SECRET signs tokens for it,
               or LOAD_TOKENS names a file of them and LOAD_SERVICE_TOKEN is the services'
  SMOKE=1      as small as it can be: does it run, and is what comes right?
  OUT          folder of the report (default loadtest/reports/<time>-<scenario>)
  WRITE=1      with COMPARE=stock: the table goes into docs/performance.md

Ends with 0 when all is as it should be, 1 when it is not, 3 when the run says nothing about the gateway
since k6 or the machine could not keep up.`;

/** @throws Error that says what is wrong with them */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const given = Object.fromEntries(NAMES.map((name) => [name, env[name] || undefined])) as Record<
    (typeof NAMES)[number],
    string | undefined
  >;
  if (!given.SCENARIO) throw new Error(`SCENARIO is missing.\n\n${help}`);
  const plans = given.SCENARIO.split(',').map((name) => {
    const plan = PLANS.find((each) => each.name === name);
    if (!plan) throw new Error(`There is no scenario ${name}.\n\n${help}`);
    return plan;
  });
  if (given.COMPARE !== undefined && given.COMPARE !== 'stock')
    throw new Error(`COMPARE can be stock only, not ${given.COMPARE}`);
  const isCompared = given.COMPARE === 'stock';
  const alone = plans.find(({ withStock }) => !withStock);
  if (isCompared && alone) throw new Error(`The stock gateway cannot do ${alone.name}`);
  if (isCompared && given.TARGET) throw new Error('COMPARE starts gateways here: without TARGET');
  const isSmoke = given.SMOKE === '1';
  const count = (name: 'NODES' | 'SESSIONS' | 'SECONDS' | 'ROUNDS', otherwise: number) => {
    const value = Number(given[name] ?? otherwise);
    if (!Number.isInteger(value) || value < 1) throw new Error(`${name} is a number from 1 on`);
    return value;
  };
  const rates = given.RATE?.split(',').map(Number);
  if (rates?.some((rate) => !(rate > 0))) throw new Error('RATE is events a second, above 0');
  return {
    plans,
    sizeOf: ({ smoke, size }) => {
      const usual = isSmoke ? smoke : size;
      return {
        sessions: count('SESSIONS', usual.sessions),
        seconds: count('SECONDS', usual.seconds),
        rates: rates ?? usual.rates,
      };
    },
    nodes: count('NODES', 3),
    isSmoke,
    isCompared,
    rounds: isCompared ? count('ROUNDS', isSmoke ? 1 : 2) : 1,
    target: given.TARGET,
    out: given.OUT,
    writes: given.WRITE === '1',
  };
}
