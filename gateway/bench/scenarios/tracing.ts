import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startRedis } from '../../test/redis.js';
import { secret, startOurs, startTraced } from '../candidates.js';
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

const SESSIONS = 50;
/** Rounds for each that other scenarios have: a few percent are to be told from none. */
const ROUNDS = 3;

/** Spans are sent so often, not every five seconds, so that it falls into what is measured. */
const SEND_MS = 1000;

/** What traces cost a node, for each event of a client and each command of a service. */
export async function tracing(run: Run): Promise<Row[]> {
  const collector = await startCollector();
  const store = await startRedis({ args: ['--appendfsync', 'everysec'] });
  const redis = new Redis(store.url);
  const sampled = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.01',
    OTEL_BSP_SCHEDULE_DELAY: String(SEND_MS),
  };
  const env = (prefix: string) => ({ STREAMGATE_REDIS_PREFIX: prefix });
  const nodes = {
    without: await ready(run, redis, 'without', startOurs(store.url, env('without'))),
    off: await ready(run, redis, 'off', startTraced(store.url, env('off'))),
    'at 1 %': await ready(
      run,
      redis,
      'sampled',
      startTraced(store.url, { ...env('sampled'), ...sampled }),
    ),
  };
  // Not measured: all are compiled by now, what sends spans too.
  for (let warming = 0; warming < 3; warming++)
    for (const node of Object.values(nodes)) await costs(run, node);
  const samples = await inTurn({ ...run, rounds: run.rounds * ROUNDS }, 'tracing', {
    without: () => costs(run, nodes.without),
    off: () => costs(run, nodes.off),
    'at 1 %': () => costs(run, nodes['at 1 %']),
  });
  for (const { server } of Object.values(nodes)) await server.stop();
  redis.disconnect();
  await store.stop();
  run.progress(`the collector was sent ${collector.stop()} requests`);
  const row = (name: string, measure: string, traced: 'off' | 'at 1 %'): Row => {
    const before = samples.without.map((sample) => sample[name]!);
    const after = samples[traced].map((sample) => sample[name]!);
    return {
      measure: `CPU of ${measure}, tracing ${traced} (against without)`,
      unit: 'µs',
      better: 'lower',
      stock: median(before),
      ours: median(after),
      paired: medianInterval(before.map((value, round) => value / after[round]!)),
      wanted: traced === 'off' ? 0.99 : 0.97,
    };
  };
  return [
    row('event', 'an emit with ack', 'off'),
    row('command', 'a command of the stream', 'off'),
    row('event', 'an emit with ack', 'at 1 %'),
    row('command', 'a command of the stream', 'at 1 %'),
  ];
}

interface Ready {
  server: Server;
  redis: Redis;
  stream: string;
  users: readonly string[];
  group: number;
}

async function ready(
  { load }: Run,
  redis: Redis,
  prefix: string,
  starting: Promise<Server>,
): Promise<Ready> {
  const server = await starting;
  const users = newUsers(SESSIONS);
  const { group } = (await load.run('open', { url: server.url, users, secret })).value;
  await load.run('join', { group, room: 'lobby' });
  return { server, redis, stream: `${prefix}:emit`, users, group };
}

async function costs({ load, scale }: Run, node: Ready): Promise<Sample> {
  const { server, redis, stream, users, group } = node;
  const costOf = async (count: number, act: () => Promise<unknown>) => {
    await server.quiet();
    const before = await server.read();
    await act();
    await setTimeout(SEND_MS);
    await server.quiet();
    const after = await server.read();
    return (after.cpuMicros - before.cpuMicros) / count;
  };
  const pace = { count: Math.ceil(40_000 * scale), window: 4 };
  const count = Math.ceil(20_000 * scale);
  // The cheapest that a client can say, so that what a trace costs shows most.
  const event = JSON.stringify(['typing_stop', { room: 'lobby', discussionId: 'd42' }]);
  return {
    event: await costOf(pace.count, () => load.run('acks', { group, event, pace })),
    command: await costOf(count, async () => {
      await load.run('listen', { group, count });
      const heard = load.run('heard', { group });
      await fill(redis, stream, users, count);
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
