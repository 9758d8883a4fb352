import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { commandOfEntry, streamNames } from '@streamgate/protocol/stream';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestRedis, startRedis } from '../../gateway/test/redis.ts';

/** What `npm publish` would send, installed into an empty project as a service does. */
const root = fileURLToPath(new URL('../..', import.meta.url));
let project: string;
let server: TestRedis;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  project = await mkdtemp(join(tmpdir(), 'streamgate-service-'));
  await writeFile(join(project, 'package.json'), '{"name": "service", "private": true}');
  for (const workspace of ['protocol', 'emitter'])
    await run('npm', ['pack', '--silent', '--pack-destination', project], join(root, workspace));
  const packed = (await readdir(project)).filter((name) => name.endsWith('.tgz'));
  await install(
    ...packed.map((name) => `./${name}`),
    'ioredis@5.9.3',
    'typescript@5.9.3',
    '@types/node@24.19.2',
  );
}, 120_000);
afterAll(async () => {
  redis.disconnect();
  await server.stop();
  await rm(project, { recursive: true, force: true });
});

async function run(program: string, args: string[], cwd = project): Promise<string> {
  const env = { ...process.env, STREAMGATE_REDIS_URL: server.url };
  const { stdout } = await promisify(execFile)(program, args, { cwd, env });
  return stdout;
}

/** Out of npm's cache where it can. */
function install(...packages: string[]): Promise<string> {
  const quietly = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  return run('npm', ['install', ...quietly, ...packages]);
}

async function runModule(name: string, text: string): Promise<string> {
  await writeFile(join(project, name), text);
  return run(process.execPath, [name]);
}

/** The event of the newest entry. */
async function newest(): Promise<string> {
  const entries = await redis.xrevrange(
    streamNames('streamgate').partition(0),
    '+',
    '-',
    'COUNT',
    1,
  );
  const command = commandOfEntry(entries[0]?.[1] ?? []);
  return command.action === 'emit' ? command.event : command.action;
}

const EMIT = `
const emitter = new Emitter({ redis: process.env.STREAMGATE_REDIS_URL });
emitter.toUser(42).emit(name, { quizId: 7 }).then(() => emitter.close());
`;

test('an ES module imports it', async () => {
  await runModule(
    'esm.mjs',
    `import { Emitter } from '@streamgate/emitter';
     import { eLearning } from '@streamgate/emitter/documents/e-learning';
     import { Presence } from '@streamgate/emitter/presence';
     const name = ['esm', typeof eLearning, typeof Presence].join();${EMIT}`,
  );
  expect(await newest()).toBe('esm,function,function');
});

test('a CommonJS module requires it', async () => {
  await runModule(
    'cjs.cjs',
    `const { Emitter } = require('@streamgate/emitter');
     const { chatEvents } = require('@streamgate/emitter/documents/chat');
     const file = require.resolve('@streamgate/emitter');
     const name = ['cjs', typeof chatEvents, file.includes('/cjs/')].join();${EMIT}`,
  );
  expect(await newest()).toBe('cjs,function,true');
});

test('its command line runs', async () => {
  await run('npx', ['--no-install', 'streamgate', 'emit', 'shell', '--user', '42']);
  expect(await newest()).toBe('shell');
});

const TYPES = `
import { Emitter, type Delivery, type Written } from '@streamgate/emitter';
import { eLearning } from '@streamgate/emitter/documents/e-learning';
import type { ServiceEvents } from '@streamgate/protocol/service-events';

const emitter = new Emitter({ redis: { host: 'localhost' } });
export const written: Promise<Written> = emitter.toUser(42).emit('quiz:created', { quizId: 7 });
export const delivery: Promise<Delivery> = emitter.to('a').receipt().emit('join:room', { room: 'a' });
// @ts-expect-error a known event has its payload
void emitter.toUser(42).emit('join:room', { rooms: 'a' });
// @ts-expect-error and needs it
void emitter.toUser(42).emit('join:room');

const own = new Emitter<ServiceEvents & { 'quiz:created': { quizId: number } }>({ redis: '' });
void own.toUser(42).emit('quiz:created', { quizId: 7 });
// @ts-expect-error so has one of the service's own
void own.toUser(42).emit('quiz:created', { quizId: '7' });
void eLearning(own).createNotification({ userId: '1', type: 'a', title: 'b', message: 'c' });
`;

test('TypeScript finds its types, as an ES module and as CommonJS', async () => {
  await writeFile(join(project, 'types.mts'), TYPES);
  await writeFile(join(project, 'types.cts'), TYPES);
  const strictly = ['--noEmit', '--strict', '--module', 'node16', '--target', 'es2022'];
  const files = ['types.mts', 'types.cts'];
  expect(await run('npx', ['--no-install', 'tsc', ...strictly, ...files])).toBe('');
}, 60_000);

test('the Nest module and the trace work with the Nest of either kind', async () => {
  await install(
    '@nestjs/common@11.2.10',
    '@nestjs/core@11.2.10',
    'reflect-metadata@0.2.2',
    'rxjs@7.8.2',
    '@opentelemetry/api@1.10.0',
  );
  const body = `
    class AppModule {}
    Module({ imports: [StreamgateModule.forRoot({ redis: process.env.STREAMGATE_REDIS_URL, trace: activeTrace })] })(AppModule);
    NestFactory.createApplicationContext(AppModule, { logger: false }).then(async (app) => {
      await app.get(Emitter).toUser(42).emit(name);
      await app.close();
    });`;
  const imports = [
    ['reflect-metadata', ''],
    ['@nestjs/common', '{ Module }'],
    ['@nestjs/core', '{ NestFactory }'],
    ['@streamgate/emitter', '{ Emitter }'],
    ['@streamgate/emitter/nest', '{ StreamgateModule }'],
    ['@streamgate/emitter/otel', '{ activeTrace }'],
  ] as const;
  const requires = imports.map(
    ([from, what]) => `${what && `const ${what} = `}require('${from}');`,
  );
  await runModule('nest.cjs', `${requires.join('\n')}\nconst name = 'nest-cjs';${body}`);
  expect(await newest()).toBe('nest-cjs');

  const readme = await readFile(join(root, 'emitter/README.md'), 'utf8');
  const blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block = '']) => block);
  expect(blocks).toHaveLength(2);
  await Promise.all(blocks.map((block, n) => writeFile(join(project, `${n}.cts`), block)));
  const decorated = ['--noEmit', '--strict', '--module', 'node16', '--experimentalDecorators'];
  expect(await run('npx', ['--no-install', 'tsc', ...decorated, '0.cts', '1.cts'])).toBe('');

  await install('@nestjs/common@12.1.1', '@nestjs/core@12.1.1');
  const esm = imports.map(([from, what]) => `import ${what && `${what} from `}'${from}';`);
  await runModule('nest.mjs', `${esm.join('\n')}\nconst name = 'nest-esm';${body}`);
  expect(await newest()).toBe('nest-esm');
}, 120_000);
