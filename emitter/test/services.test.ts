import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { type Client, connect } from '../../gateway/test/client.ts';
import { type TestNode, startNode } from '../../gateway/test/node.ts';
import { type TestRedis, startRedis } from '../../gateway/test/redis.ts';

/** What docs/services.md and the README have to paste, pasted, with a client that hears it. */
const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
const python = join(root, '.cache/python');
let server: TestRedis;
let node: TestNode;
let client: Client;

beforeAll(async () => {
  const requirements = join(root, 'tools/python/requirements.txt');
  const installed = (await readFile(requirements, 'utf8')).trim().replace('==', '-');
  if (!existsSync(join(python, `${installed}.dist-info`))) {
    const quietly = ['--quiet', '--upgrade', '--target', python];
    await run('python3', ['-m', 'pip', 'install', ...quietly, '-r', requirements]);
  }
}, 120_000);
// Each has a gateway of its own: a revocation outlives the test that asked for it.
beforeEach(async () => {
  server = await startRedis();
  node = await startNode({ STREAMGATE_REDIS_URL: server.url, STREAMGATE_STREAM_PARTITIONS: '4' });
  ({ client } = await connect(node.url, { id: '42', roles: ['ADMIN'] }));
  return async () => {
    client.close();
    await node.stop();
    await server.stop();
  };
});

/** The blocks of a language, with this test's Redis in place of the usual one. */
async function blocks(page: string, language: string): Promise<string[]> {
  const text = await readFile(join(root, page), 'utf8');
  const found = text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'));
  return [...found].map(([, block = '']) =>
    block
      .replaceAll('redis-cli ', `redis-cli -p ${server.port} `)
      .replace('host="localhost"', `host="localhost", port=${server.port}`)
      .replace('redis://localhost:6379', server.url),
  );
}

test('redis-cli', async () => {
  const [shortest = '', more = ''] = await blocks('docs/services.md', 'sh');
  await run('bash', ['-ec', shortest]);
  expect(await client.next('quiz:created')).toEqual({ quizId: 7 });
  await run('bash', ['-ec', more]);
  expect(await client.next('course_update')).toEqual({ title: 'News' });
  expect(await client.next('system:maintenance')).toEqual({ minutes: 10 });
  expect(await client.next('order:paid')).toEqual({ order: 1 });
  expect(await client.next('user:joined')).toEqual({ userId: 42 });
  expect(await client.next('error')).toMatchObject({ code: 'banned' });
  const redis = new Redis(server.url);
  expect(await redis.xlen('streamgate:emit:dead')).toBe(0);
  redis.disconnect();
});

test('Python', async () => {
  const [program = ''] = await blocks('docs/services.md', 'python');
  const env = { ...process.env, PYTHONPATH: python };
  const { stdout } = await run('python3', ['-c', program], { env });
  expect(await client.next('quiz:created')).toEqual({ quizId: 7 });
  expect(await client.next('course_update')).toEqual({ title: 'News' });
  expect(await client.next('order:paid')).toEqual({ order: 2 });
  expect(await client.next('quiz:created')).toEqual({ quizId: 8 });
  expect(stdout).toMatch(/'outcome': 'done'.*'sessions': '1'/);
});

test('the README of the emitter', async () => {
  const [events = '', moves = ''] = await blocks('emitter/README.md', 'js');
  const cwd = join(root, 'emitter');
  const runModule = (text: string) =>
    run(process.execPath, ['--input-type=module', '-e', text], { cwd });
  expect((await runModule(events)).stdout).toBe('done 1\n');
  expect(await client.next('quiz:created')).toEqual({ quizId: 7 });
  expect(await client.next('news')).toEqual({ title: 'Hello' });
  expect(await client.next('system:maintenance')).toEqual({ minutes: 10 });
  expect(await client.next('order:paid')).toEqual({ order: 1 });
  // Of another key, what ends the session could come before what was emitted first.
  await runModule(moves);
  expect(await client.next('user:joined')).toEqual({ userId: 42 });
  expect(await client.next('error')).toMatchObject({ code: 'banned' });
});
