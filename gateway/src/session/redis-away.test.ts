import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../test/client.js';
import { startRedis, type TestRedis } from '../../test/redis.js';
import { Hub, type Guest } from '../../test/sessions.js';
import { redisOptions } from '../backplane/redis-options.js';
import { createStreamsBackplane } from '../backplane/streams.js';
import { readConfig } from '../config.js';
import { metrics } from '../ops/metrics.js';
import { MessagesGateway } from './messages.js';
import { RoomsGateway } from './rooms.js';

let redis: TestRedis;
let here: Hub;
let there: Hub;
let a: Guest;
let b: Guest;

async function node(): Promise<Hub> {
  const config = readConfig({
    STREAMGATE_MODE: 'development',
    STREAMGATE_REDIS_URL: redis.url,
    STREAMGATE_REDIS_TIMEOUT_MS: '200',
  });
  const backplane = createStreamsBackplane(
    config,
    (purpose) => new Redis(redisOptions(redis.url, purpose)),
  );
  const hub = await new Hub(config, backplane).start();
  await eventually(
    () => backplane.health().up,
    (up) => up,
  );
  return hub;
}

beforeAll(async () => {
  redis = await startRedis();
  [here, there] = [await node(), await node()];
  a = await here.arrive({ id: 'ann' });
  b = await here.arrive({ id: 'bob' });
  await there.arrive({ id: 'carl' });
});

afterAll(async () => {
  redis.resume();
  await Promise.all([here.close(), there.close()]);
  await redis.stop();
});

test('with Redis paused, this node goes on by itself and says so', async () => {
  const messages = new MessagesGateway(here.rooms, here.presence);
  const rooms = new RoomsGateway(here.rooms, here.typing);
  expect(await messages.send(a.session, { message: 'hi', to: 'carl' })).toEqual({
    scope: 'cluster',
  });

  redis.pause();
  const notForwarded = metrics.notForwarded.value();
  const started = performance.now();
  await rooms.join(a.session, { room: 'general' });
  await rooms.join(b.session, { room: 'general' });
  expect(performance.now() - started).toBeLessThan(100);

  expect(await messages.send(a.session, { message: 'all' })).toEqual({ scope: 'local' });
  expect(await b.client.next('broadcast-message')).toMatchObject({ message: 'all' });
  expect(await messages.sendToRoom(a.session, { room: 'general', message: 'room' })).toEqual({
    scope: 'local',
  });
  expect(await b.client.next('room-message')).toMatchObject({ message: 'room' });
  expect(await messages.send(a.session, { message: 'bob', to: 'bob' })).toEqual({
    scope: 'local',
  });
  expect(await b.client.next('private-message')).toMatchObject({ message: 'bob' });
  expect(await a.client.next('user-joined-room')).toMatchObject({ user: { id: 'bob' } });
  await expect(messages.send(a.session, { message: 'x', to: 'carl' })).rejects.toMatchObject({
    code: 'backplane_unavailable',
  });
  await expect(here.presence.activeUsers('/', {})).rejects.toMatchObject({
    code: 'backplane_unavailable',
  });
  expect(metrics.notForwarded.value()).toBeGreaterThan(notForwarded + 2);

  redis.resume();
  await eventually(
    () => here.backplane.health().up,
    (up) => up,
  );
  expect(await messages.send(a.session, { message: 'back', to: 'carl' })).toEqual({
    scope: 'cluster',
  });
});
