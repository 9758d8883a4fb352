import { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import { Client, connect, eventually } from '../client.js';
import { ALICE, BOB } from '../cluster.js';
import type { NodeEnv } from '../node.js';
import { BACKPLANES, Several } from './several.js';

const EMIT = 'streamgate:emit';
const quiet = { transports: ['websocket'], reconnection: false };

describe.each(BACKPLANES)('the stream door on %s', (backplane) => {
  let several: Several;
  let redis: Redis;
  const clients: Client[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    redis?.disconnect();
    await several.stop();
  });
  async function start(count: number, env: NodeEnv = {}): Promise<void> {
    several = await Several.start(count, backplane, env);
    redis = new Redis(several.redis.url);
    redis.on('error', () => undefined);
  }
  async function open(node: number, person = ALICE): Promise<Client> {
    const { client } = await connect(several.node(node).url, person, quiet);
    clients.push(client);
    return client;
  }
  const write = (...fields: string[]) => redis.xadd(EMIT, '*', ...fields) as Promise<string>;

  test('what is written before any node was up is executed, and the stream is left empty', async () => {
    await start(2);
    const [alice, bob] = [await open(1), await open(2, BOB)];
    await write('to', 'user:alice', 'event', 'quiz:created', 'data', '{"quizId":7}');
    expect(await alice.next('quiz:created')).toEqual({ quizId: 7 });
    await write('to', '["user:alice","user:bob"]', 'event', 'both');
    await write('to', '*', 'except', 'user:bob', 'event', 'not-bob', 'data', '1');
    await write('to', '*', 'event', 'last');
    expect(await bob.nextArgs('last')).toBeTruthy();
    expect(bob.has('both')).toBe(true);
    expect(bob.has('not-bob')).toBe(false);
    await eventually(
      () => redis.xlen(EMIT),
      (length) => length === 0,
    );
    expect(((await redis.xinfo('GROUPS', EMIT)) as unknown[][])[0]).toContain('streamgate');
  });
});
