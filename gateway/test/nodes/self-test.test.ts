import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SECRET, startNode, type TestNode } from '../node.js';
import { tokenOf } from '../tokens.js';

const program = fileURLToPath(new URL('../../dist/self-test.js', import.meta.url));
let node: TestNode;
let folder: string;

beforeAll(async () => {
  node = await startNode({ STREAMGATE_JWT_AUDIENCE: 'people' });
  folder = await mkdtemp(join(tmpdir(), 'self-test-'));
  await writeFile(join(folder, 'secret'), `${SECRET}\n`);
  await writeFile(join(folder, 'wrong'), 'a-secret-that-signs-nothing-of-theirs');
});
afterAll(async () => {
  await node.kill();
  await rm(folder, { recursive: true });
});

async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [program, '--url', node.url, ...args]);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}

const audience = ['--claims', '{"aud":"people"}'];

test('connects, sends through the REST door, receives', async () => {
  expect(await run('--secret-file', join(folder, 'secret'), ...audience)).toEqual({
    code: 0,
    output: `ok: a client connects
ok: an event sent through the REST door arrives
ok: a forged token is refused: Authentication failed
`,
  });
});

test('with a token of the issuer', async () => {
  const file = join(folder, 'token');
  const token = await tokenOf({ id: 'prober', roles: ['service'], claims: { aud: 'people' } });
  await writeFile(file, token);
  expect(await run('--token-file', file)).toMatchObject({ code: 0 });
});

test.for([
  ['another secret', ['--secret-file', 'wrong'], 'Authentication failed'],
  ['a role that may not emit', ['--secret-file', 'secret', '--role', 'nobody'], 'answers 403'],
  ['no secret', [], '--secret-file or --token-file is missing'],
] as const)('fails with %s', async ([, args, says]) => {
  const paths = args.map((arg, i) => (i === 1 ? join(folder, arg) : arg));
  const { code, output } = await run(...paths, ...audience);
  expect(code).toBe(1);
  expect(output).toContain(says);
});
