import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from './program.ts';

const root = join(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);

test('the client and the curl of the README reach what make run starts', async () => {
  const [start, client = '', curl = ''] = blocks;
  expect(start).toBe('make run\n');

  const gateway = run(process.execPath, ['tools/run.ts'], {
    STREAMGATE_HTTP_PORT: '0',
    STREAMGATE_MANAGEMENT_PORT: '0',
  });
  const tokens = await gateway.tokens();
  const [, url = ''] = await gateway.wrote(/^Clients and REST +(\S+)$/m);
  const paste = (block: string) =>
    run('bash', ['-c', block.replaceAll('http://localhost:3000', url)], tokens);

  const alice = paste(client);
  await alice.wrote(/connected as alice\n/);
  await alice.wrote(/answer \{/);
  const answer = paste(curl);
  await answer.wrote(/"success":true/);
  await alice.wrote(/notification \{ title: 'Hello', body: 'from a service' \}/);

  // Ctrl-C with a client connected: at once, and cleanly.
  expect(await gateway.end('SIGINT')).toBe(0);
});
