import { delivery, integrity, perSession, usage } from './figures.ts';
import type { Plan } from './plan.ts';

/** Every scenario, in the order of the documents. */
export const PLANS: readonly Plan[] = [
  {
    name: 'hold',
    asks: 'What does a session cost its node while nothing is sent?',
    size: { sessions: 3000, seconds: 20, rates: [1] },
    smoke: { sessions: 60, seconds: 4, rates: [1] },
    weighs: true,
    withStock: true,
    figures: perSession,
  },
  {
    name: 'unicast',
    asks: 'A service writes to one person each: how long until it hears, at which rate?',
    size: { sessions: 300, seconds: 24, rates: [100, 300, 600] },
    smoke: { sessions: 30, seconds: 6, rates: [50, 100] },
    services: true,
    withStock: true,
    figures: (measured) => [
      ...[...Object.keys(measured.metrics)]
        .filter((name) => name.startsWith('load_delivery{step:'))
        .toSorted()
        .flatMap((name, step) =>
          delivery(measured, name.slice('load_delivery'.length), `Delivery, rate ${step + 1}`),
        ),
      ...integrity(measured),
      ...usage(measured),
    ],
  },
];
