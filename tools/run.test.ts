import { expect, test } from 'vitest';
import { run } from './program.ts';

const anyPorts = { STREAMGATE_HTTP_PORT: '0', STREAMGATE_MANAGEMENT_PORT: '0' };
const start = (env: NodeJS.ProcessEnv) =>
  run(process.execPath, ['tools/run.ts'], { ...anyPorts, ...env });

test('a Ctrl-C stops it with status 0, also when nobody reads its log any more', async () => {
  const gateway = start({});
  await gateway.tokens();
  gateway.deafen();
  expect(await gateway.end('SIGINT')).toBe(0);
});

test('the status is that of the gateway, and a fault is one message without a stack trace', async () => {
  const gateway = start({ STREAMGATE_HTTP_PORT: 'none', STREAMGATE_REDIS_PREFX: 'mine' });
  expect(await gateway.end()).toBe(1);
  expect(gateway.output).toContain('STREAMGATE_HTTP_PORT: must be a whole number');
  expect(gateway.output).toContain('did you mean STREAMGATE_REDIS_PREFIX?');
  expect(gateway.output).not.toContain('    at ');
});

test('what is set is honoured: production refuses to start without a key', async () => {
  const gateway = start({ STREAMGATE_MODE: 'production' });
  expect(await gateway.end()).toBe(1);
  expect(gateway.output).toContain('STREAMGATE_JWT_SECRET');
});
