import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { startRedis } from '../../test/redis.js';
import { secret, startTraced } from '../candidates.js';
import {
  inTurn,
  medianInterval,
  median,
  newUsers,
  type Row,
  type Run,
  type Sample,
} from '../measure.js';
import type { Server } from '../server.js';
import { fill } from './door.js';

// Of the built gateway, beside which this is built.
type Tracing = typeof import('../../src/ops/tracing.js');
const { tracing: looked } = (await import(
  new URL('../../ops/tracing.js', import.meta.url).href
)) as Tracing;

const SESSIONS = 50;
/** Processes of the node, one after the other. */
const PROCESSES = 3;
/** Of each, for each round that other scenarios have: a percent is to be told from none. */
const PAIRS = 5;
/**
 * Of one measurement: short, so that both of a pair meet the same machine, and some two hundred spans, which are
 * sent at once. An event has one span here, a command three.
 */
const EVENTS = 20_000;
const COMMANDS = 8000;
/** How often an event, or a command, looks whether anybody traces: at its span; and when it is delivered. */
const LOOKS = { event: 1, command: 2 } as const;

/**
 * What traces cost a node, for each event of a client and each command of a service: at 1 % against off, in
 * one process. Off is the same program with one boolean to look at, so that is what is measured of it.
 */
export async function tracing(run: Run): Promise<Row[]> {
  const collector = await startCollector();
  const samples: Record<State, Sample[]> = { off: [], on: [] };
  for (let process = 1; process <= Math.min(PROCESSES, run.rounds); process++) {
    const { off, on } = await inProcess(run, collector.url, `tracing, process ${process}`);
    samples.off.push(...off);
    samples.on.push(...on);
  }
  run.progress(`the collector was sent ${collector.stop()} requests`);
  const measured = (name: Measured, state: State) => samples[state].map((sample) => sample[name]!);
  const row = (measure: string, before: number[], after: number[]): Row => ({
    measure,
    unit: 'µs',
    better: 'lower',
    stock: median(before),
    ours: median(after),
    paired: medianInterval(before.map((value, round) => value / after[round]!)),
  });
  const off = (name: Measured, what: string): Row => {
    const after = measured(name, 'off');
    const before = after.map((cost) => cost - (LOOKS[name] * lookNanos(run.scale)) / 1000);
    const measure = `CPU of ${what}, tracing off (against without)`;
    return { ...row(measure, before, after), wanted: 0.99 };
  };
  const on = (name: Measured, what: string): Row => {
    const measure = `CPU of ${what}, tracing at 1 % (against off)`;
    return { ...row(measure, measured(name, 'off'), measured(name, 'on')), wanted: 0.97 };
  };
  return [
    off('event', 'an emit with ack'),
    off('command', 'a command of the stream'),
    on('event', 'an emit with ack'),
    on('command', 'a command of the stream'),
  ];
}

type State = 'off' | 'on';
type Measured = keyof typeof LOOKS;

/** What a look costs, with what a loop of such costs by itself: nobody traces here. */
function lookNanos(scale: number): number {
  const times = Math.ceil(1_000_000 * scale);
  const began = process.cpuUsage();
  for (let at = 0; at < times; at++) looked.wants();
  const { user, system } = process.cpuUsage(began);
  return ((user + system) * 1000) / times;
}

/** A node with a Redis of its own, whose tracing is turned off and on. */
async function inProcess(
  run: Run,
  collectorUrl: string,
  title: string,
): Promise<Record<State, Sample[]>> {
  const store = await startRedis({ args: ['--appendfsync', 'everysec'] });
  const redis = new Redis(store.url);
  const node = await ready(
    run,
    redis,
    startTraced(store.url, {
      OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl,
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.01',
    }),
  );
  const turned = async (trace: boolean) => {
    await node.server.read({ collect: false, trace });
    return costs(run, node);
  };
  // Not measured: all is compiled by now, what sends spans too.
  for (let warming = 0; warming < 10 * run.scale; warming++) await turned(warming % 2 === 0);
  const samples = await inTurn({ ...run, rounds: run.rounds * PAIRS }, title, {
    off: () => turned(false),
    on: () => turned(true),
  });
  await run.load.run('close', { group: node.group });
  await node.server.stop();
  redis.disconnect();
  await store.stop();
  return samples;
}

interface Ready {
  server: Server;
  redis: Redis;
  stream: string;
  users: readonly string[];
  group: number;
}

async function ready({ load }: Run, redis: Redis, starting: Promise<Server>): Promise<Ready> {
  const server = await starting;
  const users = newUsers(SESSIONS);
  const { group } = (await load.run('open', { url: server.url, users, secret })).value;
  await load.run('join', { group, room: 'lobby' });
  return { server, redis, stream: 'streamgate:emit', users, group };
}

async function costs({ load, scale }: Run, node: Ready): Promise<Sample> {
  const { server, redis, stream, users, group } = node;
  const costOf = async (count: number, act: () => Promise<unknown>) => {
    await server.quiet();
    const before = await server.read();
    await act();
    // Not five seconds later: it is part of what they cost.
    await server.read({ collect: false, flush: true });
    await server.quiet();
    const after = await server.read();
    return (after.cpuMicros - before.cpuMicros) / count;
  };
  const pace = { count: Math.ceil(EVENTS * scale), window: 4 };
  const count = Math.ceil(COMMANDS * scale);
  // The cheapest that a client can say, so that what a trace costs shows most.
  const event = JSON.stringify(['typing_stop', { room: 'lobby', discussionId: 'd42' }]);
  return {
    event: await costOf(pace.count, () => load.run('acks', { group, event, pace })),
    command: await costOf(count, async () => {
      await load.run('listen', { group, count });
      const heard = load.run('heard', { group });
      await fill(redis, stream, users, count, count);
      await heard;
    }),
  };
}

/** Where a collector would stand: takes whatever it is sent. */
async function startCollector(): Promise<{ url: string; stop: () => number }> {
  let requests = 0;
  const server: HttpServer = createServer((request, response) => {
    requests += 1;
    request.resume().once('end', () => response.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
      return requests;
    },
  };
}
