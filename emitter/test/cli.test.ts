import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { commandOfEntry, entryOfDead, streamNames } from '@streamgate/protocol/stream';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type TestRedis, startRedis } from '../../gateway/test/redis.ts';

/** The built program, as a shell runs it. */
const program = fileURLToPath(new URL('../bin/streamgate.js', import.meta.url));
const names = streamNames('streamgate');
let server: TestRedis;
let redis: Redis;
const children: ChildProcess[] = [];

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});
beforeEach(() => redis.flushall());
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

interface Answer {
  code: number;
  stdout: string;
  stderr: string;
}

async function streamgate(...args: string[]): Promise<Answer> {
  const env = { ...process.env, STREAMGATE_REDIS_URL: server.url };
  const running = promisify(execFile)(process.execPath, [program, ...args], { env });
  return running.then(
    (output) => ({ ...output, code: 0 }),
    (failed: Answer) => failed,
  );
}

async function commands(partition = 0) {
  const entries = await redis.xrange(names.partition(partition), '-', '+');
  return entries.map(([, fields]) => commandOfEntry(fields));
}

/** Puts a letter on the dead stream as the gateway does. */
async function bury(fields: string[], code = 'invalid_json', reason = 'Not JSON'): Promise<string> {
  const letter = { reason, code, time: 1_700_000_000_000, node: 'n1' };
  const entry = entryOfDead(fields, { ...letter, stream: names.partition(0), entry: '5-0' });
  return (await redis.xadd(names.dead, '*', ...entry)) ?? '';
}

test('says how it is used', async () => {
  const { code, stdout } = await streamgate('--help');
  expect(code).toBe(0);
  for (const name of ['emit', 'tail', 'dead', 'lag']) {
    expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
    expect((await streamgate(name, '--help')).stdout).toContain(`streamgate ${name}`);
  }
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const [, shown] = /^```\n\$ npx streamgate --help\n(.*?)^```$/ms.exec(readme) ?? [];
  expect(stdout.startsWith(shown ?? 'nothing')).toBe(true);
});

test.each([
  [[]],
  [['nonsense']],
  [['emit', '--nonsense']],
  [['emit', 'a', '{}']],
  [['emit', 'a', 'not json', '--user', '1']],
  [['emit', 'a', '--all', '--user', '1']],
  [['dead', 'drop']],
  [['lag', '--redis', 'http://localhost']],
])('ends with 2 when it is asked %j', async (args) => {
  expect(await streamgate(...args)).toMatchObject({ code: 2 });
});

test('ends with 1 and one line when Redis is not there', async () => {
  const { code, stderr } = await streamgate('lag', '--redis', 'redis://127.0.0.1:1');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^connect ECONNREFUSED 127\.0\.0\.1:1\n$/);
});

test('ends without a word when nobody reads on', async () => {
  await bury(['to', 'user:1']);
  await bury(['to', 'user:2']);
  const pipe = `"$0" "$@" | true`;
  const args = [program, 'dead', 'list', '--json', '--redis', server.url];
  const { stderr } = await promisify(execFile)('sh', ['-c', pipe, process.execPath, ...args]);
  expect(stderr).toBe('');
});

test('emit writes what the options say', async () => {
  await streamgate(
    'emit',
    'quiz:created',
    '{"quizId":7}',
    '--user',
    '42',
    '--id',
    'x1',
    '--durable',
  );
  await streamgate('emit', 'a', '--to', 'course:1', '--role', 'ADMIN', '--except', 'user:7');
  const { stdout } = await streamgate('emit', 'b', 'null', '--all', '--ttl', '9', '--json');
  await streamgate('emit', '--action', 'join', '{"room":"quiz:7"}', '--user', '42');
  expect(JSON.parse(stdout)).toEqual({ id: expect.any(String), entry: expect.any(String) });
  expect(await commands()).toMatchObject([
    { to: ['user:42'], event: 'quiz:created', args: [{ quizId: 7 }], id: 'x1', durable: true },
    { to: ['course:1', 'role:ADMIN'], event: 'a', args: [], except: ['user:7'] },
    { to: '*', event: 'b', args: [null], ttl: 9, source: 'cli' },
    { action: 'join', users: ['42'], room: 'quiz:7' },
  ]);
});

test('emit says what is wrong', async () => {
  expect(await streamgate('emit', 'connect', '--user', '1')).toMatchObject({
    code: 1,
    stderr: 'reserved_event: This event name is reserved\n',
  });
});

test('dead list, show and drop', async () => {
  expect((await streamgate('dead', 'list')).stdout).toBe('Nothing is dead.\n');
  const first = await bury(['to', 'user:1', 'event', 'a\u001b[31m', 'data', '{']);
  const second = await bury(['to', 'user:2', 'evnt', 'b'], 'unknown_field', 'Unknown field');
  expect((await streamgate('dead', 'list')).stdout).toBe(
    [
      'ID               TIME                      CODE           REASON         TO      EVENT',
      `${second}  2023-11-14T22:13:20.000Z  unknown_field  Unknown field  user:2`,
      `${first}  2023-11-14T22:13:20.000Z  invalid_json   Not JSON       user:1  a\\u001b[31m`,
      '',
    ].join('\n'),
  );
  const { stdout } = await streamgate('dead', 'list', '--code', 'unknown_field', '--json');
  expect(JSON.parse(stdout)).toEqual({
    ...{ id: second, code: 'unknown_field', reason: 'Unknown field', time: 1_700_000_000_000 },
    ...{ node: 'n1', stream: 'streamgate:emit', entry: '5-0' },
    fields: { to: 'user:2', evnt: 'b' },
  });
  expect((await streamgate('dead', 'show', first)).stdout).toContain('\n  data = {\n');
  expect((await streamgate('dead', 'drop', first)).stdout).toBe(`${first}  dropped\n`);
  expect(await redis.xlen(names.dead)).toBe(1);
  for (const action of ['show', 'replay', 'drop']) {
    const mixed = await streamgate('dead', action, first);
    expect(mixed).toMatchObject({ code: 1, stdout: `${first}  is not there\n` });
  }
  const two = await streamgate('dead', 'drop', first, second, '--json');
  expect(two.code).toBe(1);
  expect(
    two.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    { id: first, error: 'is not there' },
    { id: second, done: 'dropped' },
  ]);
  await bury(['to', 'user:3']);
  expect((await streamgate('dead', 'drop', '--all')).code).toBe(0);
  expect(await redis.xlen(names.dead)).toBe(0);
});

test('dead replay mends and sends again, once', async () => {
  await redis.set(names.partitions, 4);
  const id = await bury(['to', 'user:1', 'evnt', 'a', 'data', '{']);
  const again = await streamgate('dead', 'replay', id);
  expect(again).toMatchObject({ code: 1 });
  expect(again.stdout).toContain('would be refused again: invalid_json');
  expect(await redis.xlen(names.dead)).toBe(1);

  const mending = ['--set', 'event=a', '--unset', 'evnt', '--set', 'data={"b":"="}'];
  const { stdout } = await streamgate('dead', 'replay', id, ...mending);
  // CRC32("user:1") mod 4
  const partition = Number(/streamgate:emit:(\d)/.exec(stdout)?.[1] ?? 0);
  expect(await commands(partition)).toMatchObject([
    { to: ['user:1'], event: 'a', args: [{ b: '=' }] },
  ]);
  expect(await redis.xlen(names.dead)).toBe(0);
  expect((await streamgate('dead', 'replay', id)).stdout).toContain('is not there');
});

test('dead replay --all keeps the order, --force asks no questions', async () => {
  for (const n of [1, 2, 3]) await bury(['to', 'user:1', 'event', 'a', 'data', String(n)]);
  await bury(['to', 'user:1', 'action', 'later'], 'unknown_action');
  expect((await streamgate('dead', 'replay', '--all')).code).toBe(1);
  expect((await commands()).map((command) => command.action === 'emit' && command.args)).toEqual([
    ...[[1], [2], [3]],
  ]);
  expect((await streamgate('dead', 'replay', '--all', '--force')).code).toBe(0);
  expect(await redis.xlen(names.partition(0))).toBe(4);
});

test('lag tells partitions apart, and what nobody reads from what is not done', async () => {
  await redis.set(names.partitions, 2);
  for (const n of [1, 2, 3]) await redis.xadd(names.partition(1), '*', 'to', `user:${n}`);
  await redis.xgroup('CREATE', names.partition(1), 'streamgate', '0');
  await redis.xreadgroup(
    'GROUP',
    'streamgate',
    'n1',
    'COUNT',
    1,
    'STREAMS',
    names.partition(1),
    '>',
  );
  const { stdout } = await streamgate('lag');
  expect(stdout).toMatch(/^STREAM +ENTRIES +UNREAD +PENDING +OLDEST\n/);
  const lines = (await streamgate('lag', '--json')).stdout.trim().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { stream: 'streamgate:emit', length: 0, unread: 0, pending: 0, oldestSeconds: 0 },
    { stream: 'streamgate:emit:1', length: 3, unread: 2, pending: 1 },
  ]);
});

test('tail says what it cannot show', async () => {
  expect((await streamgate('tail', '--help')).stdout).toContain('are not printed');
});

test('tail prints what comes, and ends on Ctrl-C', async () => {
  await streamgate('emit', 'before', '--user', '1');
  const child = spawn(process.execPath, [program, 'tail', '--redis', server.url]);
  children.push(child);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  while (!String(await redis.client('LIST')).includes('cmd=xread')) await redis.ping();
  await streamgate('emit', 'after', '{"a":1}', '--user', '1');
  while (!output.includes('\n')) await once(child.stdout, 'data');
  expect(output).toMatch(
    /^\S+Z  streamgate:emit  \d+-0  after  to=user:1  event=after  data=\{"a":1\}/,
  );
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  expect(await ended).toEqual([0, null]);

  const { stdout } = await streamgate('tail', '--from', '0', '--count', '1', '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    stream: 'streamgate:emit',
    fields: { event: 'before' },
  });
});
