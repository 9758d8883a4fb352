import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Socket, io } from 'socket.io-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestRedis, startRedis } from '../../gateway/test/redis.ts';

/** What `npm publish` would send, in a server of somebody who has read the README and nothing else. */
const workspace = fileURLToPath(new URL('..', import.meta.url));
let redis: TestRedis;
let project: string;
let client: Socket;
const servers: ChildProcess[] = [];

beforeAll(async () => {
  redis = await startRedis();
  project = await mkdtemp(join(tmpdir(), 'streamgate-adapter-'));
  await writeFile(join(project, 'package.json'), '{"private": true}');
  await npm(workspace, 'pack', '--silent', '--pack-destination', project);
  const packed = (await readdir(project)).filter((name) => name.endsWith('.tgz'));
  // Out of npm's cache where it can: they are what this repository uses.
  const others = ['ioredis@6.0.0', 'socket.io@4.8.4'];
  const quietly = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  await npm(project, 'install', ...quietly, ...packed.map((name) => `./${name}`), ...others);

  const readme = await readFile(join(workspace, 'README.md'), 'utf8');
  const [, example = ''] = /^```js\n(.*?)^```$/ms.exec(readme) ?? [];
  expect(example).toContain("import { createAdapter } from '@streamgate/adapter';");
  await writeFile(join(project, 'server.mjs'), serverOf(example));
}, 120_000);
afterAll(async () => {
  client?.disconnect();
  for (const server of servers) server.kill('SIGKILL');
  await redis.stop();
  await rm(project, { recursive: true, force: true });
});

async function npm(cwd: string, ...args: string[]): Promise<void> {
  await promisify(execFile)('npm', args, { cwd });
}

/** The README's server on ports of the test; it says its port, and to the room what it is told. */
function serverOf(example: string): string {
  return `${example
    .replace('redis://localhost:6379', redis.url)
    .replace(
      'listen(3000)',
      'listen(process.argv[2], () => console.log(httpServer.address().port))',
    )}
import { createInterface } from 'node:readline';
createInterface({ input: process.stdin }).on('line', (line) => io.to('news').emit('news', line));
`;
}

async function start(port = '0'): Promise<{ server: ChildProcess; port: string }> {
  const server = spawn(process.execPath, ['server.mjs', port], {
    cwd: project,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  servers.push(server);
  const [line] = (await once(server.stdout, 'data')) as [Buffer];
  return { server, port: String(line).trim() };
}

test("two of the README's servers are one, and a session survives its server", async () => {
  const [first, second] = await Promise.all([start(), start()]);
  client = io(`http://localhost:${first.port}`, { reconnectionDelay: 50 });
  const heard: string[] = [];
  client.on('news', (text: string) => heard.push(text));
  const say = (text: string) => second.server.stdin!.write(`${text}\n`);
  // The client hears nothing of when its session is in the room.
  await expect.poll(() => say('before') && heard).toContain('before');

  const lost = new Promise((resolve) => client.once('disconnect', resolve));
  first.server.kill('SIGKILL');
  await lost;
  say('meanwhile');
  await start(first.port);
  await expect.poll(() => heard, { timeout: 15_000 }).toContain('meanwhile');
  expect(client.recovered).toBe(true);
  say('after');
  await expect.poll(() => heard.slice(-2)).toEqual(['meanwhile', 'after']);
}, 60_000);
