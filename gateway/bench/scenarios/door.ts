import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startRedis } from '../../test/redis.js';
import { secret, startBare, startOurs } from '../candidates.js';
import { interleave, newUsers, type Row, type Run, type Sample } from '../measure.js';
import type { Server } from '../server.js';

const USERS = 50;
const STREAMS = { bare: 'bare:emit', ours: 'streamgate:emit' } as const;
type Candidate = keyof typeof STREAMS;

/** Commands of one partition of the stream door on their way to connected clients. */
export async function door(run: Run): Promise<Row[]> {
  // As it is run in production: a write is on the disk within a second, not before it is answered.
  const store = await startRedis({ args: ['--appendfsync', 'everysec'] });
  const redis = new Redis(store.url);
  const servers = {
    bare: await startBare(store.url, STREAMS.bare),
    ours: await startOurs(store.url),
  };
  const users = newUsers(USERS);
  const { load } = run;
  const groups = {
    bare: (await load.run('open', { url: servers.bare.url, users, secret })).value.group,
    ours: (await load.run('open', { url: servers.ours.url, users, secret })).value.group,
  };
  const candidate = (which: Candidate) => ({
    redis,
    stream: STREAMS[which],
    users,
    group: groups[which],
    server: servers[which],
  });
  // Not measured: both programs are compiled by now.
  await flood(run, candidate('bare'));
  await flood(run, candidate('ours'));
  const measured = await interleave(run, 'stream door', {
    bare: () => flood(run, candidate('bare')),
    ours: () => flood(run, candidate('ours')),
  });
  // The same rate for both: half of what ours can.
  const perSecond = measured.ours.perSecond! / 2;
  const paced = await interleave(run, 'stream door at half of its rate', {
    bare: () => steady(run, candidate('bare'), perSecond),
    ours: () => steady(run, candidate('ours'), perSecond),
  });
  const waiting = await wait(run, candidate('ours'));
  for (const server of Object.values(servers)) await server.stop();
  redis.disconnect();
  await store.stop();
  const row = (measure: string, unit: string, name: string, samples = measured): Row => ({
    measure,
    unit,
    better: unit === 'commands/s' ? 'higher' : 'lower',
    stock: samples.bare[name]!,
    ours: samples.ours[name]!,
  });
  return [
    {
      ...row('Stream door, one partition (against a bare loop)', 'commands/s', 'perSecond'),
      wanted: 0.8,
    },
    row('CPU of a command in it', 'µs', 'cpu'),
    row('Time of a command at half of its rate, median', 'µs', 'p50', paced),
    row('Time of a command at half of its rate, 99 %', 'µs', 'p99', paced),
    waiting,
  ];
}

interface Door {
  redis: Redis;
  stream: string;
  users: readonly string[];
  group: number;
  server: Server;
}

async function flood(
  { load, scale }: Run,
  { redis, stream, users, group, server }: Door,
): Promise<Sample> {
  const count = Math.ceil(20_000 * scale);
  await server.quiet();
  const before = (await server.read()).cpuMicros;
  await load.run('listen', { group, count });
  const heard = load.run('heard', { group });
  await fill(redis, stream, users, count);
  const { millis } = await heard;
  const after = (await server.read()).cpuMicros;
  return { perSecond: count / (millis / 1000), cpu: (after - before) / count };
}

async function steady(
  { load, scale }: Run,
  { redis, stream, users, group }: Door,
  perSecond: number,
): Promise<Sample> {
  const count = Math.ceil(perSecond * 2 * Math.max(scale, 0.25));
  await load.run('listen', { group, count });
  const heard = load.run('heard', { group });
  const began = performance.now();
  for (let written = 0; written < count;) {
    const due = Math.min(count, Math.ceil(((performance.now() - began) / 1000) * perSecond));
    const pipeline = redis.pipeline();
    for (; written < due; written++) {
      const data = JSON.stringify({ at: `@${micros()}@` });
      const to = `user:${users[written % users.length]}`;
      pipeline.xadd(stream, '*', 'to', to, 'event', 'bench', 'data', data);
    }
    await pipeline.exec();
    await setTimeout(1);
  }
  const { value } = await heard;
  return { p50: value.p50Micros, p99: value.p99Micros };
}

/** What a node takes while a million entries wait: it reads no more than it can carry. */
async function wait(
  { scale, load }: Run,
  { redis, stream, users, group, server }: Door,
): Promise<Row> {
  const count = Math.ceil(1_000_000 * scale);
  await server.quiet();
  const idle = (await server.read({ collect: true })).rssBytes;
  await load.run('listen', { group, count });
  const heard = load.run('heard', { group });
  await fill(redis, stream, users, count);
  let most = 0;
  let over = false;
  const done = heard.finally(() => (over = true));
  while (!over) {
    most = Math.max(most, (await server.read()).rssBytes);
    await setTimeout(200);
  }
  await done;
  const measure = `Memory of the node while ${count.toLocaleString('en')} entries wait (against idle)`;
  return { measure, unit: 'MiB', better: 'lower', stock: idle / 2 ** 20, ours: most / 2 ** 20 };
}

/** Written by Redis itself, so that writing is not what limits. */
const FILL = `
for index = 0, ARGV[1] - 1 do
  local user = ARGV[3 + index % (#ARGV - 2)]
  redis.call('XADD', KEYS[1], '*', 'to', 'user:' .. user, 'event', 'bench', 'data', ARGV[2])
end
`;

/** @param step entries that are there at once */
export async function fill(
  redis: Redis,
  stream: string,
  users: readonly string[],
  count: number,
  step = 5000,
): Promise<void> {
  const data = JSON.stringify({ quizId: 7, title: 'm'.repeat(80) });
  for (let written = 0; written < count; written += step)
    await redis.eval(FILL, 1, stream, Math.min(step, count - written), data, ...users);
}

const micros = () => Math.round((performance.timeOrigin + performance.now()) * 1000);
