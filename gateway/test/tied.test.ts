import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { eventually } from './client.js';

test('a Redis ends with its test, also when that is killed, and not before', async () => {
  const program = `
    import { startRedis } from ${JSON.stringify(import.meta.resolve('./redis.ts'))};
    const [gone, left] = [await startRedis(), await startRedis()];
    await gone.stop();
    console.log(JSON.stringify({ port: left.port, dir: left.dir }));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const { port, dir } = JSON.parse(String(said)) as { port: number; dir: string };
  expect(await listens(port)).toBe(true);
  child.kill('SIGKILL');
  await eventually(
    () => listens(port),
    (does) => !does,
  );
  await rm(dir, { recursive: true });
});

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
  });
}
