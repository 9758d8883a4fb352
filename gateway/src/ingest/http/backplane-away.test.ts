import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRedis, type TestRedis } from '../../../test/redis.js';
import { openDoor, type Door } from '../../../test/rest-door.js';
import { tokenOf } from '../../../test/tokens.js';
import { redisOptions } from '../../backplane/redis-options.js';
import { metrics } from '../../ops/metrics.js';
import { createStreamsBackplane } from '../../backplane/streams.js';

let redis: TestRedis;
let door: Door;
let token: string;
beforeAll(async () => {
  redis = await startRedis();
  door = await openDoor({ STREAMGATE_REDIS_URL: redis.url }, (config) =>
    createStreamsBackplane(config, (purpose) => new Redis(redisOptions(redis.url, purpose))),
  );
  token = await tokenOf({ id: 'service', roles: ['service'] });
});
afterAll(async () => {
  await door.close();
  await redis.stop();
});

function ask([method, path, body]: [string, string, unknown?]): Promise<Response> {
  return fetch(door.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

test('503 with the time to wait while Redis is away, and 200 again when it is back', async () => {
  const requests: [string, string, unknown?][] = [
    ['POST', '/websocket/broadcast', { message: 'x' }],
    ['POST', '/api/gateway/send', { userId: 'a', event: 'x', message: 1 }],
    ['GET', '/websocket/active-users'],
    ['GET', '/api/gateway/status/a'],
    ['POST', '/v1/commands', { to: 'user:a', event: 'x' }],
    ['POST', '/v1/commands', { action: 'join', to: 'user:a', data: { room: 'r' } }],
    ['GET', '/v1/users/a'],
    ['GET', '/v1/rooms/a'],
  ];
  for (const request of requests) expect((await ask(request)).status).toBe(200);
  await redis.kill();
  const failed = () => metrics.commands.value('backplane_unavailable');
  const before = failed();
  for (const request of requests) {
    const answer = await ask(request);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await answer.json()).toMatchObject({
      status: 503,
      code: 'backplane_unavailable',
      retryable: true,
    });
  }
  // Each of them is a command that failed, also one that fails before it is executed.
  expect(failed() - before).toBe(requests.filter(([method]) => method === 'POST').length);
  await redis.restart();
  for (const request of requests)
    await expect.poll(async () => (await ask(request)).status, { timeout: 10_000 }).toBe(200);
});
