import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { run } from '../../tools/program.ts';

const folder = join(import.meta.dirname, '..');
const readme = readFileSync(join(folder, 'README.md'), 'utf8');
const own = join(folder, `own-${process.pid}.ts`);
afterAll(() => rmSync(own, { force: true }));

it('gives a scenario that runs as it stands, against what make run starts', async () => {
  const [scenario = ''] = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
  const commands = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, code]) => code!.trim());
  expect(commands).toContain('make run');
  const command = commands.find((text) => text.includes('own.ts'))!;

  const gateway = run(process.execPath, ['tools/run.ts'], {
    STREAMGATE_HTTP_PORT: '0',
    STREAMGATE_MANAGEMENT_PORT: '0',
  });
  const tokens = await gateway.tokens();
  const [, url = ''] = await gateway.wrote(/^Clients and REST +(\S+)$/m);
  // On a machine that is busy with other tests its threshold would be a matter of luck.
  const code = scenario
    .replace('http://localhost:3000', url)
    .replace('10_000', '2_000')
    .replace('p(99)<200', 'p(99)<5000');
  writeFileSync(own, code);
  const k6 = run('bash', ['-c', command.replace('loadtest/own.ts', own)], tokens);
  await k6.wrote(/answer\.+: avg=.*\n/);
  await k6.wrote(/2 complete and 0 interrupted/);
  expect(await gateway.end('SIGINT')).toBe(0);
}, 60_000);
