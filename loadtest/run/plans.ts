import { rampChecks, rampFigures } from './connect-ramp.ts';
import { badNeighbours, nodeDeath, outages, redisRestart, rollingDeploy } from './dramas.ts';
import { delivery, fact, integrity, perSession, returns, steps, usage } from './figures.ts';
import { type Check, duringLoad, type Measured, statistic } from './measured.ts';
import { HEARTBEAT_SECONDS } from './memory.ts';
import type { Plan } from './plan.ts';
import { growthPerHour } from './trend.ts';

/** What nodes have to move their sessions off. */
const DRAIN_SECONDS = 8;
const RATES = [100, 300, 600];
const CONNECTS = [50, 100, 200, 300, 400];
/** A soak says whether memory grows from this length on. */
const SOAK_SECONDS = 600;
const MOST_GROWTH = 0.05;
const NOTICED_MS = 100;
/** A client that has waited its longest tries again after 7.5 s at most. */
const BACK_MS = 8000;

/** Every scenario. Its full size is what two processors carry beside k6, its smoke what ends within seconds. */
export const PLANS: readonly Plan[] = [
  {
    name: 'connect-ramp',
    asks: 'At how many connects a second does the handshake take too long?',
    size: { sessions: 10_000, seconds: 25, rates: CONNECTS },
    smoke: { sessions: 500, seconds: 4, rates: [10, 20] },
    byClock: true,
    isSilent: true,
    withStock: true,
    figures: (measured) => rampFigures(measured, measured.rates),
    checks: (measured) => rampChecks(measured, measured.rates),
  },
  {
    name: 'hold',
    asks: 'What does a session cost its node while nothing is sent?',
    size: { sessions: 2000, seconds: HEARTBEAT_SECONDS, rates: [1] },
    smoke: { sessions: 60, seconds: 2, rates: [1] },
    weighs: true,
    isSilent: true,
    withStock: true,
    figures: perSession,
  },
  {
    name: 'unicast',
    asks: 'A service writes to one person each: how long until it hears, at which rate?',
    size: { sessions: 300, seconds: 24, rates: RATES },
    smoke: { sessions: 30, seconds: 6, rates: [50, 100] },
    services: true,
    withStock: true,
    figures: (measured) => [
      ...steps(
        measured,
        measured.rates.map((rate) => `${rate} events/s`),
      ),
      ...integrity(measured),
      ...usage(measured),
    ],
  },
  {
    name: 'room',
    asks: 'Members speak in one hot room and in many small ones: how long until all have heard?',
    size: { sessions: 200, seconds: 15, rates: [20] },
    smoke: { sessions: 30, seconds: 4, rates: [20] },
    withStock: true,
    figures: (measured) => [
      ...delivery(measured, '{room:hot}', 'Delivery, hot room'),
      ...delivery(measured, '{room:small}', 'Delivery, small rooms'),
      ...integrity(measured),
      ...usage(measured),
    ],
  },
  {
    name: 'chat',
    asks: 'A day in document 2: conversations, typing, read receipts.',
    size: { sessions: 200, seconds: 20, rates: [50] },
    smoke: { sessions: 24, seconds: 5, rates: [30] },
    needsChat: true,
    figures: (measured) => [...delivery(measured), ...integrity(measured), ...usage(measured)],
  },
  {
    name: 'jitter',
    asks: 'Networks of people go for 0.5 to 10 s at random: what is lost, and when are they back?',
    size: { sessions: 200, seconds: 25, rates: [100] },
    smoke: { sessions: 24, seconds: 6, rates: [40] },
    services: true,
    network: true,
    withStock: true,
    drama: (scene) => outages(Math.min(10_000, scene.size.seconds * 400))(scene),
    figures: (measured) => [
      ...integrity(measured),
      ...returns(measured),
      ...['median', '95 %', 'longest'].map((share) =>
        fact(measured, `Connected after the network is back, ${share}`, 'ms'),
      ),
      ...delivery(measured),
    ],
    checks: (measured) => {
      const late = measured.facts['Connected after the network is back, 95 %'];
      return [
        {
          name: `connected within ${BACK_MS / 1000} s of having a network (95 %)`,
          isMet: late !== undefined && late < BACK_MS,
          seen: late === undefined ? 'not seen' : `${Math.round(late)} ms`,
        },
        none('people without a connection', measured.facts['people without a connection']),
        droppedSome(measured),
      ];
    },
  },
  {
    name: 'avalanche',
    asks: 'Every node is replaced under load: who is thrown out, and when are all back?',
    size: { sessions: 300, seconds: 20, rates: [100] },
    smoke: { sessions: 30, seconds: 4, rates: [40] },
    services: true,
    network: true,
    withStock: true,
    env: ({ sessions }) => ({ STREAMGATE_DRAIN_SECONDS: String(drainOf(sessions)) }),
    drama: (scene) => rollingDeploy(drainOf(scene.size.sessions) * 1000)(scene),
    figures: (measured) => [
      ...integrity(measured),
      ...returns(measured),
      fact(measured, 'most connects in a second', 'connects/s'),
      // Who drains takes its time on purpose.
      { name: 'Deploy', unit: 's', value: measured.facts['deploy, s'] },
    ],
    checks: (measured) => [
      droppedSome(measured),
      // Of a deployment elsewhere its own controller decides that.
      ...(measured.candidate === 'target'
        ? []
        : [
            none('nodes that had to be killed', measured.facts['nodes killed']),
            none('nodes that failed to stop', measured.facts['nodes that failed to stop']),
          ]),
    ],
  },
  {
    name: 'node-death',
    asks: 'A node is killed under load: the same questions, and who is still listed that is not there?',
    size: { sessions: 300, seconds: 16, rates: [100] },
    smoke: { sessions: 30, seconds: 4, rates: [40] },
    services: true,
    network: true,
    withStock: true,
    drama: nodeDeath,
    figures: (measured) => [
      ...integrity(measured),
      ...returns(measured),
      fact(measured, 'most connects in a second', 'connects/s'),
      fact(measured, 'ghosts gone after, s', 's'),
    ],
    checks: (measured) => [
      droppedSome(measured),
      ...(measured.candidate === 'streamgate'
        ? [none('users listed without a session', measured.facts['ghosts'])]
        : []),
    ],
  },
  {
    name: 'redis-restart',
    asks: 'Redis is killed under load and comes back with its data: is anybody thrown out, is anything lost?',
    size: { sessions: 300, seconds: 20, rates: [100] },
    smoke: { sessions: 30, seconds: 6, rates: [40] },
    services: true,
    network: true,
    takesRedis: true,
    drama: redisRestart,
    figures: (measured) => [...integrity(measured), ...returns(measured), ...delivery(measured)],
    checks: ({ candidate, facts: { 'nodes that kept Redis': kept } }) => {
      const seen = kept === undefined ? 'not seen' : `${kept} kept it`;
      const check = { name: 'every node lost Redis', isMet: kept === 0, seen };
      // What others run is restarted by others.
      return candidate === 'streamgate' ? [check] : [];
    },
  },
  {
    name: 'soak',
    asks: 'The same load for hours: does memory grow, does anything become slower?',
    size: { sessions: 300, seconds: 7200, rates: [200, 200, 200, 200] },
    smoke: { sessions: 30, seconds: 6, rates: [40, 40] },
    services: true,
    figures: (measured) => [
      ...steps(
        measured,
        measured.rates.map((_, step) => `part ${step + 1}`),
      ),
      ...integrity(measured),
      {
        name: 'Memory grows in an hour',
        unit: '%',
        value: measured.seconds < SOAK_SECONDS ? undefined : growth(measured) * 100,
        better: 'lower',
      },
      ...usage(measured),
    ],
    checks: (measured) => [
      // A shorter one cannot say.
      ...(measured.seconds < SOAK_SECONDS
        ? []
        : [
            {
              name: `memory grows by less than ${MOST_GROWTH * 100} % in an hour`,
              isMet: growth(measured) < MOST_GROWTH,
              seen: `${(growth(measured) * 100).toFixed(1)} %`,
            },
          ]),
      notSlower(measured, 'the last part', measured.rates.length - 1),
    ],
  },
  {
    name: 'slow-and-flood',
    asks: 'Some read nothing and some flood: what do those beside them notice?',
    size: { sessions: 200, seconds: 30, rates: [200, 200] },
    smoke: { sessions: 24, seconds: 6, rates: [60, 60] },
    services: true,
    drama: badNeighbours,
    figures: (measured) => [
      ...steps(measured, ['without bad neighbours', 'with bad neighbours']),
      ...integrity(measured),
      fact(measured, 'flooders closed, times'),
      fact(measured, 'slow readers closed'),
      ...usage(measured),
    ],
    checks: (measured) => [
      notSlower(measured, 'beside bad neighbours', 1),
      some('flooders that the gateway closed', measured.facts['flooders closed, times']),
      some('people who read nothing', measured.facts['slow readers, connects']),
    ],
  },
  {
    name: 'capacity',
    asks: 'How many sessions and events a second does one node carry within the SLO?',
    size: { sessions: 500, seconds: 8, rates: [100] },
    smoke: { sessions: 20, seconds: 3, rates: [20] },
    services: true,
    searches: true,
    figures: (measured) => [
      { name: 'Sessions', unit: '', value: measured.sessions },
      ...delivery(measured),
      ...usage(measured),
    ],
    checks: (measured) => {
      // The nodes of a deployment elsewhere are not looked at.
      if (measured.candidate === 'target') return [];
      const loop = loopOf(measured);
      return [
        {
          name: 'the event loop of the node is busy for less than 70 %',
          isMet: loop !== undefined && loop < 0.7,
          seen: loop === undefined ? 'not seen' : `${Math.round(loop * 100)} %`,
        },
      ];
    },
  },
];

/** A smoke run has no time for more. */
function drainOf(sessions: number): number {
  return sessions < 100 ? 3 : DRAIN_SECONDS;
}

/** Of all nodes' memory, as a share in an hour. */
function growth(measured: Measured): number {
  const points = duringLoad(measured).map(({ second, nodes }) => ({
    second,
    value: nodes.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
  }));
  return growthPerHour(points);
}

/** Share of the time that the event loop of the first node worked, between the first and the last scrape. */
export function loopOf(measured: Measured): number | undefined {
  const scraped = duringLoad(measured).filter(
    ({ nodes }) => nodes[0]?.own['loopSeconds'] !== undefined,
  );
  const first = scraped[0];
  const last = scraped.at(-1);
  if (!first || !last || first === last) return undefined;
  const seconds = (sample: typeof first) => sample.nodes[0]!.own['loopSeconds']!;
  return (seconds(last) - seconds(first)) / (last.second - first.second);
}

/** p99 of a later step beside that of the first. */
function notSlower(measured: Measured, name: string, step: number): Check {
  const at = (which: number) => statistic(measured, `load_delivery{step:${which}}`, 'p(99)');
  const before = at(0);
  const after = at(step);
  const isMet =
    before !== undefined &&
    after !== undefined &&
    after < Math.max(2 * before, before + NOTICED_MS);
  return {
    name: `delivery (99 %) is the same: ${name}`,
    isMet,
    seen: `${before?.toFixed(1)} ms, then ${after?.toFixed(1)} ms`,
  };
}

/** Else nothing went wrong, and what is asked about those who come back holds of nobody. */
function droppedSome(measured: Measured): Check {
  return some('connections that were lost', statistic(measured, 'load_dropped', 'count'));
}

function none(name: string, value: number | undefined): Check {
  return { name: `no ${name}`, isMet: value === 0, seen: String(value) };
}

function some(name: string, value: number | undefined): Check {
  return { name: `there were ${name}`, isMet: (value ?? 0) > 0, seen: String(value) };
}
