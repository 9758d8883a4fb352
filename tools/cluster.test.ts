import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { io } from 'socket.io-client';
import { expect, test } from 'vitest';
import { run } from './program.ts';

test('make cluster starts three nodes that behave as one, and leaves nothing behind', async () => {
  const cluster = run(process.execPath, ['tools/cluster.ts']);
  const tokens = await cluster.tokens();
  const nodes = [...cluster.output.matchAll(/^node \d +(\S+) +management \S+ +pid (\d+)$/gm)];
  expect(nodes).toHaveLength(3);
  const [first, second] = nodes.map(([, url]) => url);

  const alice = io(first, { auth: { token: tokens.ALICE }, transports: ['websocket'] });
  const reached = new Promise((resolve) => alice.on('notification', resolve));
  await new Promise((resolve) => alice.on('connected', resolve));
  const answer = await fetch(`${second}/api/gateway/send`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.SERVICE}`, 'content-type': 'application/json' },
    body: JSON.stringify({ userId: 'alice', event: 'notification', message: { n: 1 } }),
  });
  expect(await answer.json()).toMatchObject({ success: true });
  expect(await reached).toEqual({ n: 1 });
  alice.close();

  const [, port] = await cluster.wrote(/ are up on 127\.0\.0\.1:(\d+)/);
  expect(await cluster.end('SIGINT')).toBe(0);
  const running = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' });
  for (const [, , pid] of nodes) expect(running).not.toMatch(new RegExp(`^ *${pid} `, 'm'));
  const redis = connect(Number(port), '127.0.0.1');
  await expect(once(redis, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test("the README's line of redis-cli reaches the README's client on make cluster", async () => {
  const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
  const blocks = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);
  const client = blocks.find((block) => block.includes('socket.io-client')) ?? '';
  const write = blocks.find((block) => block.includes('redis-cli')) ?? '';
  expect(write).toMatch(/^redis-cli XADD streamgate:emit /);
  const cluster = run(process.execPath, ['tools/cluster.ts']);
  const tokens = await cluster.tokens();
  const [, port] = await cluster.wrote(/ are up on 127\.0\.0\.1:(\d+)/);
  const [, url = ''] = await cluster.wrote(/^node 2 +(\S+)/m);
  const alice = run('bash', ['-c', client.replaceAll('http://localhost:3000', url)], tokens);
  await alice.wrote(/connected as alice\n/);
  // As it stands where port 6379 is free.
  run('bash', ['-c', write.replace('redis-cli', `redis-cli -p ${port}`)]);
  await alice.wrote(/notification \{ title: 'Hello', body: 'from any language' \}/);
  expect(await cluster.end('SIGINT')).toBe(0);
});
